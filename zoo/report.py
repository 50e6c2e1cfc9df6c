"""What a training leaves to read: report.html, the table on the terminal, and the summary of a sweep."""

import csv
import io
import json
import math
import shlex
import statistics
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Protocol

import yaml
from torch import Tensor

from zoo.checkpoint import write_text
from zoo.data.splits import Splits
from zoo.figures import FINDINGS, Points, curves, number, table
from zoo.prediction import Predictor

Values = Mapping[str, Any]

MEANINGS = {
    "loss": "what training lowers, on the scale it is trained on",
    "accuracy": "share of right answers",
    "f1": "harmonic mean of precision and recall, averaged over the classes",
    "auroc": "chance that a sample of a class ranks above one of another class; 0.5 is guessing",
    "rmse": "root mean squared error, in the target's units; large errors weigh most",
    "mae": "mean absolute error, in the target's units",
    "r2": "share of the target's variance that is explained; 0 is answering the mean, 1 is perfect",
}
SEEDLIKE = {"seed", "run_dir", "resume", "zoo_path"}  # differ between the jobs of a sweep without setting them apart

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
.grid {{ display: flex; flex-wrap: wrap; gap: 1rem; align-items: start; }}
figure {{ margin: 0; max-width: 100%; }}
.card {{ border: 1px solid var(--line); border-radius: .3rem; padding: .5rem .7rem; font-size: .85rem; }}
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


class RunFiles(Protocol):
    """The files of a run folder that a report reads, writes or names."""

    @property
    def folder(self) -> Path:
        """The run folder."""

    @property
    def history(self) -> Path:
        """metrics.csv, a row an epoch."""

    @property
    def report(self) -> Path:
        """report.html."""


def write_report(
    run: RunFiles,
    config: Values,
    splits: Splits,
    metrics: Values,
    predictor: Predictor,
    outputs: Tensor,
    targets: Tensor,
) -> None:
    """Write `run.report`, one HTML file that needs nothing else.

    Args:
        run: whose files to read and write.
        config: plain values, as the run was trained with.
        splits: the data; samples of the test split are shown.
        metrics: what metrics.json will hold.
        predictor: the trained model.
        outputs: on the test split, logits (n, n_classes) or values in the target's units (n, n_outputs).
        targets: classes (n,) or values (n, n_outputs).
    """
    task = splits.spec.task
    sections = (
        _results(splits, metrics),
        _learning(_history(run.history), predictor.task.score, metrics["epoch"]),
        FINDINGS.get(task)(splits, outputs, targets) if task in FINDINGS.names() else "",
        _usage(run.folder, config, splits),
    )
    title = escape(f"{config['model']['name']} on {splits.spec.name}")
    write_text(run.report, PAGE.format(title=title, body="\n".join(sections)))


def _results(splits: Splits, metrics: Values) -> str:
    header, *rows = _measured(metrics)
    sizes = [f"{len(split):,}" for split in (splits.train, splits.val, splits.test)]  # type: ignore[arg-type]
    facts = {
        **_facts(metrics),
        "samples": "{} to train, {} to validate, {} to test".format(*sizes),
        "data": f"{splits.spec.source or splits.spec.name} (licence: {splits.spec.licence or 'not stated'})",
    }
    listed = "".join(f"<dt>{name}<dd>{escape(fact)}" for name, fact in facts.items())
    return f"""<h2>Results</h2>
<p>The weights were chosen on the validation split. The test split was read once, after that: quote its column.</p>
{table((*header, ""), [(*row, MEANINGS.get(row[0], "")) for row in rows])}<dl>{listed}</dl>"""


def _measured(metrics: Values) -> list[tuple[str, ...]]:
    """A header and a line for each metric, with a column for each split that was measured."""
    splits = [split for split in ("train", "val", "test") if split in metrics]
    names = metrics[splits[-1]]
    return [("", *splits), *((name, *(number(metrics[split].get(name)) for split in splits)) for name in names)]


def _facts(metrics: Values) -> dict[str, str]:
    facts = {
        "weights": metrics.get("weights"),
        "data": metrics.get("data"),
        "parameters": f"{metrics['n_parameters']:,}",
        "epoch used": metrics.get("epoch"),
        "seconds": ", ".join(f"{value:,.1f} {name}" for name, value in metrics["seconds"].items()),
        "seed": metrics.get("seed"),
        "device": metrics["device"],
    }
    return {name: str(fact) for name, fact in facts.items() if fact is not None}


def _history(path: Path) -> dict[str, Points]:
    """Each column of metrics.csv as (epoch, value) points, without the epochs that lack a value."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: [(float(row["epoch"]), float(row[name])) for row in rows if row[name] and math.isfinite(float(row[name]))]
        for name in rows[0]
    }


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


def _usage(folder: Path, config: Values, splits: Splits) -> str:
    choices = {"model": config["model"]["name"], "data": config["data"]["name"], "seed": config["seed"]}
    command = shlex.join(["python", "scripts/train.py", *(f"{key}={value}" for key, value in choices.items())])
    inputs = ", ".join(
        f"{name} {' x '.join(map(str, one.shape))} {one.dtype}" for name, one in splits.spec.inputs.items()
    )
    config_file, weights = str(folder / "config.yaml"), str(folder / "model.safetensors")
    exactly = (
        "import yaml\nfrom zoo.training import train\n\n"
        f"config = yaml.safe_load(open({config_file!r}))\ntrain(config | {{'resume': None}}, 'runs/again')"
    )
    load = f"import zoo\n\nmodel = zoo.load({weights!r})\nmodel.predict(raw)  # {inputs}"
    return f"""<h2>Use it</h2><p>The file holds the preprocessing too, so it takes raw input:</p>{_code(load)}
<h2>Repeat it</h2><p>With the defaults of this model and data:</p>{_code(command)}
<p>With every setting of this run, callbacks and loggers aside:</p>{_code(exactly)}
<details><summary>All settings ({escape(config_file)})</summary>
{_code(yaml.safe_dump(dict(config), sort_keys=False))}</details>"""


def _code(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def metrics_table(metrics: Values, run_dir: str | Path | None) -> str:
    """What was measured, as plain text; at most 100 wide where the folder's name allows.

    Args:
        metrics: what metrics.json holds.
        run_dir: the folder it was written to, if any.
    """
    header, *rows = _measured(metrics)
    facts = [
        textwrap.fill(fact, 98, initial_indent=f"{name:<12}", subsequent_indent=" " * 12, break_long_words=False)
        for name, fact in _facts(metrics).items()
    ]
    files = (
        []
        if run_dir is None
        else [Path(run_dir) / name for name in ("report.html", "model.safetensors", "metrics.json")]
    )
    written = [f"{'' if i else 'files':<12}{path}" for i, path in enumerate(filter(Path.exists, files))]
    return "\n".join([_columns(header, rows), *facts, *written])


def _columns(header: Sequence[str], rows: Iterable[Sequence[str]], n_left: int = 1) -> str:
    """Text in columns: the first `n_left` aligned left, the others right."""
    lines = [header, *rows]
    widths = [max(12 * (i == 0), *map(len, column)) for i, column in enumerate(zip(*lines, strict=True))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def write_summary(sweep_dir: str | Path) -> str:
    """Gather a sweep's finished jobs, over their seeds, in `sweep_dir`/summary.csv.

    Jobs that differ in nothing but the seed are a group. The file has a line for each group, split and metric, with
    the mean and the sample standard deviation over the group's `n` jobs.

    Returns:
        The test metrics as text, mean ± standard deviation, a line for each group.
    """
    jobs = list(_jobs(Path(sweep_dir)))
    if not jobs:
        return f"no finished job in {sweep_dir}"
    axes = _axes([config for config, _ in jobs]) or ["model.name", "data.name"]
    groups: dict[tuple[str, ...], list[Values]] = {}
    for config, metrics in jobs:
        groups.setdefault(_at(config, axes), []).append(metrics)
    lines = [
        (*group, split, name, len(values), *_moments(values))
        for group, members in groups.items()
        for split in ("val", "test")
        for name, values in _collected(members, split).items()
    ]
    path = Path(sweep_dir) / "summary.csv"
    write_text(path, _as_csv((*axes, "split", "metric", "n", "mean", "std"), lines))
    return f"{_summary_table(axes, groups)}\n{path}"


def _jobs(folder: Path) -> Iterator[tuple[dict[str, str], Values]]:
    """The flat config and the metrics of every finished job in `folder`."""
    for path in sorted(folder.rglob("metrics.json")):
        config = path.with_name("config.yaml")
        if config.exists():
            yield dict(_flat(yaml.safe_load(config.read_text()))), json.loads(path.read_text())


def _flat(config: Values, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _axes(configs: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys that set the jobs apart: model and data, then other names, then the rest, less what follows from those
    before."""
    keys = [key for key in {key: None for config in configs for key in config} if key not in SEEDLIKE]
    first = ("model.name", "data.name")
    axes: list[str] = []
    for rank in (first, [key for key in keys if key.endswith(".name")], keys):
        axes += [key for key in rank if _varies(configs, key, axes)]
    return axes


def _varies(configs: Sequence[Mapping[str, str]], key: str, axes: Sequence[str]) -> bool:
    """Whether jobs that agree on `axes` differ in `key`."""
    return len({_at(config, [*axes, key]) for config in configs}) > len({_at(config, axes) for config in configs})


def _at(config: Mapping[str, str], axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(config.get(axis, "") for axis in axes)


def _collected(members: Sequence[Values], split: str) -> dict[str, list[float]]:
    """Each metric's finite values over the jobs of a group."""
    names = {name: None for metrics in members for name in metrics[split]}
    values = {name: [metrics[split].get(name, math.nan) for metrics in members] for name in names}
    finite = {name: [value for value in several if math.isfinite(value)] for name, several in values.items()}
    return {name: several for name, several in finite.items() if several}


def _as_csv(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()


def _summary_table(axes: Sequence[str], groups: Mapping[tuple[str, ...], Sequence[Values]]) -> str:
    tests = {group: _collected(members, "test") for group, members in groups.items()}
    names = list({name: None for test in tests.values() for name in test})
    rows = [
        (*group, str(len(groups[group])), *(_mean_and_deviation(test.get(name, [])) for name in names))
        for group, test in tests.items()
    ]
    return "test split, mean ± standard deviation of n jobs\n" + _columns((*axes, "n", *names), rows, n_left=len(axes))


def _mean_and_deviation(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, deviation = _moments(values)
    return f"{number(mean)} ± {'-' if deviation is None else f'{deviation:.2g}'}"


def _moments(values: Sequence[float]) -> tuple[float, float | None]:
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None
