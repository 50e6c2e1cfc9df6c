"""report.html: results, learning curves and mistakes of a training, on one page that needs no network."""

import inspect
import shlex
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.core.atomic_files import write_text
from zoo.core.run_folder import Run
from zoo.core.safe_yaml import to_yaml
from zoo.core.table_layout import html_table
from zoo.data import DATA
from zoo.data.splits import Splits
from zoo.inference.predictor import Predictor
from zoo.report.charts import Points, curves
from zoo.report.importance import importance
from zoo.report.over_time import over_time
from zoo.report.sections import Sections, first_layer
from zoo.report.text import baseline_rows, metric_rows, run_facts
from zoo.report.uncertainty import uncertainty
from zoo.tasks import Task

Values = Mapping[str, Any]

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.7rem; margin: 0; }}
h2 {{ font-size: 1.2rem; margin: 2.5rem 0 .3rem; border-bottom: 1px solid var(--line); }}
p {{ max-width: 46rem; margin: .4rem 0 1rem; }}
.scroll, pre {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .15rem 1rem .15rem 0; text-align: left; vertical-align: top; }}
th {{ font-weight: 600; border-bottom: 1px solid var(--line); }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }}
dt, small {{ opacity: .7; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
.grid {{ display: flex; flex-wrap: wrap; gap: .75rem; align-items: start; }}
figure {{ margin: 0; max-width: 100%; }}
.card {{ border: 1px solid var(--line); border-radius: .3rem; padding: .5rem; font-size: .85rem; }}
.card > * {{ display: block; margin-bottom: .3rem; }}
.card td {{ padding: 0 .8rem 0 0; }}
.card td + td {{ padding: 0 0 0 .5rem; text-align: right; }}
svg {{ max-width: 100%; height: auto; }}
svg text {{ font-family: inherit !important; }}
pre {{ background: #8881; padding: .7rem 1rem; border-radius: .3rem; font-size: .85rem; line-height: 1.4; }}
summary {{ cursor: pointer; }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def write_report(
    run: Run,
    config: Values,
    splits: Splits,
    metrics: Values,
    predictor: Predictor,
    tested: tuple[Tensor, Tensor],
) -> None:
    """Write `run.report`, a self-contained HTML file.

    Args:
        run: whose files to read and write.
        config: of the training, as plain values.
        splits: the data; samples of the test split are drawn.
        metrics: the content of metrics.json.
        predictor: the trained model.
        tested: outputs, in the target's units, and targets of the first `Task.n_reported` test samples, (n, ...) each.
    """
    task, test_split = predictor.task, Sections(predictor, splits)
    task.report(test_split, *tested)
    sections = (
        _results(splits, metrics, task),
        _baselines(metrics, task),
        _folds(metrics) if "folds" in metrics else _learning(run.read_history(), task.score, metrics["epoch"]),
        str(test_split),
        _drafts(run),
        uncertainty(predictor, *tested),
        importance(predictor, splits),
        first_layer(predictor),
        over_time(predictor, splits, *tested),
        _usage(config, splits, task),
    )
    write_page(run.report, f"{config['model']['name']} on {splits.spec.name}", *sections)


def write_page(path: Path, title: str, *sections: str) -> None:
    """Write an HTML file with a title, which is escaped, and sections, which are HTML; empty ones are left out."""
    write_text(path, PAGE.format(title=escape(title), body="\n".join(filter(None, sections))))


def _results(splits: Splits, metrics: Values, task: Task) -> str:
    header, *rows = metric_rows(metrics)
    sizes = [len(split) for split in (splits.train, splits.val, splits.test)]  # type: ignore[arg-type]
    n_folds = metrics.get("folds", {}).get("n")
    known = {
        **run_facts(metrics),
        "samples": f"{sizes[0] + sizes[1]:,} in {n_folds} folds, {sizes[2]:,} to test"
        if n_folds
        else "{:,} to train, {:,} to validate, {:,} to test".format(*sizes),
        "data": f"{splits.spec.source or splits.spec.name} (licence: {splits.spec.licence or 'not stated'})",
    }
    listed = "".join(f"<dt>{name}<dd>{escape(fact)}" for name, fact in known.items())
    return f"""<h2>Results</h2>
<p>{escape(metrics.get("verdict", ""))}</p>
<p>The test split was read once, after training: quote its column.</p>
{html_table((*header, ""), [(*row, task.meaning(row[0])) for row in rows])}<dl>{listed}</dl>"""


def _baselines(metrics: Values, task: Task) -> str:
    """The model beside the baselines; "" without any."""
    rows = baseline_rows(metrics)
    if not rows:
        return ""
    naive = " or ".join(name for name, facts in metrics["baselines"].items() if facts["naive"])
    better = "higher" if task.score_mode == "max" else "lower"
    return f"""<h2>Baselines</h2>
<p>The naive answer ({escape(naive)}) and quick references with their usual settings, fitted to the training split and
measured like the model. A {better} {escape(task.score)} is better.</p>{html_table(rows[0], rows[1:])}"""


def _learning(history: Mapping[str, Points], score: str, epoch: int) -> str:
    charts = {
        "loss": {"training": "train/loss", "validation": "val/loss"},
        f"validation {score}": {"validation": f"val/{score}"},
        "learning rate": {"learning rate": "lr"},
    }
    drawn = ""
    for label, names in charts.items():
        lines = {legend: history[name] for legend, name in names.items() if history.get(name)}
        drawn += f"<figure>{curves(label, lines, epoch)}</figure>" if lines else ""
    return f"""<h2>Learning curves</h2>
<p>Both losses should fall; validation loss that rises while training loss still falls is overfitting. Training loss is
the mean over an epoch, with the config's dropout and augmentation, so it may lie above validation loss. The dashed line
marks the epoch whose weights were kept.</p><div class="grid">{drawn}</div>"""


def _folds(metrics: Values) -> str:
    """How the folds' models did, each one's page being in its folder."""
    folds = metrics["folds"]
    links = " ".join(f'<a href="fold={fold}/report.html">{fold}</a>' for fold in range(folds["n"]))
    epochs = ", ".join(map(str, folds["epochs"]))
    return f"""<h2>Folds</h2>
<p>The answer is the mean of {folds["n"]} models. Each was validated on one fold of the samples that are not for testing
and trained on the others, so that its score there is out of fold: mean ± standard deviation over the folds. The weights
kept are of epochs {epochs}. Each one's learning curves: {links}</p>"""


def _drafts(run: Run) -> str:
    """What a language model wrote while it learned; "" of other models."""
    if not run.drafts.exists():
        return ""
    return f"""<h2>What it wrote while it learned</h2>
<p>After epochs 1, 2, 4, 8 and so on, at temperature 0.8 and with the same random numbers.</p>
{_code(run.drafts.read_text(encoding="utf-8"))}"""


def _usage(config: Values, splits: Splits, task: Task) -> str:
    data = config["data"]
    registered = data.get("reader", data["name"])
    defaults = inspect.signature(DATA.get(registered)).parameters
    given = {f"data.{key}": data[key] for key in data if key in defaults and data[key] != defaults[key].default}
    own = config.get("zoo_path")
    choices = {"model": config["model"]["name"], "data": registered, **given, "seed": config["seed"]}
    choices |= {"zoo_path": own} if own else {}
    command = shlex.join(["zoo", "train", *(f"{key}={value}" for key, value in choices.items())])
    name, raw = next(iter(splits.spec.inputs.items()))
    shape = " x ".join(str(size or axis) for size, axis in zip(raw.shape, raw.axes, strict=True))
    add = f"zoo.add_path({own!r})\n" if own else ""
    exactly = (
        f"from pathlib import Path\n\nimport zoo\nfrom zoo.core.safe_yaml import read_yaml\n\n{add}"
        "config = read_yaml(Path('config.yaml'))\nzoo.train(config | {'resume': None}, 'again')"
    )
    load = f"import zoo\n\n{add}model = zoo.load('model.safetensors')\n{task.call}  # {name}: {shape}, {raw.dtype}"
    return f"""<h2>Use it</h2><p>In the folder of this report. The file holds the preprocessing too, so it takes raw
input:</p>{_code(load)}
<h2>Repeat it</h2><p>With the defaults of this model and data:</p>{_code(command)}
<p>With every setting of this run, callbacks and loggers aside, in the folder of this report:</p>{_code(exactly)}
<details><summary>All settings (config.yaml)</summary>
{_code(to_yaml(dict(config)))}</details>"""


def _code(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"
