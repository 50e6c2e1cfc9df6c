"""The report, the table of metrics and the summary of a sweep, from real splits and untrained models."""

import csv
import html
import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from filelock import FileLock

import zoo
from zoo.core.run_folder import Run
from zoo.core.run_listing import find_runs, record_failure
from zoo.core.spec import Column, DataSpec, Input
from zoo.data.splits import Splits, TensorSplit
from zoo.inference.evaluation import evaluate
from zoo.inference.image_explanation import filters
from zoo.inference.predictor import Predictor
from zoo.report.over_time import over_time
from zoo.report.page import write_report
from zoo.report.runs import runs_table
from zoo.report.sweep import write_summary
from zoo.report.text import metrics_table

HISTORY = "epoch,step,lr,train/loss,val/loss,val/accuracy,val/rmse,seconds\n"
ROWS = ["1,10,0.1,2.0,,,,0.5\n", "2,20,0.05,1.0,1.5,0.5,60.0,0.5\n", "3,30,0.0,0.5,1.2,0.75,50.0,0.5\n"]


def run_folder(folder: Path, rows: list[str] = ROWS) -> Run:
    (folder / "metrics.csv").write_text(HISTORY + "".join(rows))
    return Run(folder)


def metrics_of(val: dict, test: dict) -> dict:
    return {
        "val": val,
        "test": test,
        "epoch": 3,
        "seconds": {"fit": 1.25, "total": 2.5},
        "n_parameters": 12345,
        "seed": 0,
        "device": "CPU, 1 threads",
    }


def predictor_of(model: str, splits: Splits) -> Predictor:
    torch.manual_seed(0)
    built = zoo.create_model(model, splits.spec)
    built.preprocess.fit([splits.train[:]])
    return Predictor(built, splits.spec, {})


def report(folder: Path, predictor: Predictor, splits: Splits, outputs=None, targets=None, rows=ROWS) -> str:
    """Return the report's text, for a model's own outputs unless others are given."""
    metrics, own_outputs, own_targets = evaluate(predictor, splits.test)
    outputs, targets = (own_outputs, own_targets) if outputs is None else (outputs, targets)
    config = {"model": {"name": "m"}, "data": {"name": "wine"}, "seed": 0, "note": "<script>a & b</script>"}
    run = run_folder(folder, rows)
    write_report(run, config, splits, metrics_of(metrics, metrics), predictor, (outputs, targets))
    text = run.report.read_text()
    check_self_contained(text)
    return text


def check_self_contained(text: str) -> None:
    assert "http://" not in text
    assert "https://" not in text
    assert all(
        source.startswith("data:image/png;base64,") for source in re.findall(r'(?:src|href)="([^#"][^"]*)"', text)
    )
    assert not re.search(r"<link|<script|@import|url\((?!#)", text)
    assert "&lt;script&gt;a &amp; b&lt;/script&gt;" in text
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower().split()


@pytest.fixture(scope="module")
def digits() -> tuple[Splits, Predictor]:
    splits = zoo.load_data("mnist5k")
    splits = Splits(splits.spec, splits.train, splits.val, splits.test.subset(range(200)))
    return splits, predictor_of("cnn/small", splits)


@pytest.mark.parametrize(
    ("model", "data", "pictures"),
    [
        ("fnn/mlp", "breast_cancer", r"[+-]\d\.\d &sigma;"),
        ("rnn/gru", "japanese_vowels", "channels over the steps"),
        ("fnn/mlp", "diabetes", r"[+-]\d\.\d &sigma;"),
    ],
)
def test_each_kind_of_input_shows_its_samples(tmp_path, model, data, pictures):
    splits = zoo.load_data(data)
    text = report(tmp_path, predictor_of(model, splits), splits)
    assert len(re.findall('<figure class="card">', text)) == 12
    assert len(re.findall(pictures, text)) >= 12
    for label in ("loss over the epochs", "learning rate over the epochs", "12,345", html.escape(splits.spec.source)):
        assert label in text
    of_columns = ("Importance of the columns", "permutation: rise of the loss, by column")
    assert all((label in text) == model.startswith("fnn") for label in of_columns)
    over_time = {"the probability of its class over the steps": 4, "hidden units over time": 1}
    assert all(text.count(label) == n * model.startswith("rnn") for label, n in over_time.items())


@pytest.mark.parametrize("name", ["rnn/gru", "rnn/rocket_gru", "cnn/inception_time"])
@pytest.mark.parametrize("kind", ["sequence", "padded sequence", "text"])
def test_the_moment_is_drawn_at_which_an_answer_turned(name, kind):
    inputs = {"sequence": Input((None, 2), axes=("time", "n_channels")), "lengths": Input(dtype="int64")}
    columns = {"sequence": torch.randn(6, 9, 2), "lengths": torch.arange(6) + 1, "target": torch.arange(6) % 2}
    if kind == "sequence":
        inputs["sequence"] = Input((9, 2), axes=("time", "n_channels"))
        del inputs["lengths"], columns["lengths"]
    if kind == "text":
        inputs = {"tokens": Input((None,), "int64", ("time",), cardinalities=(4,)), "lengths": inputs["lengths"]}
        columns["tokens"] = torch.randint(0, 4, (6, 9))
        del columns["sequence"]
    spec = DataSpec("made", "classification", inputs, 2, class_names=["a<b", "b"], reading={"alphabet": "xy&"})
    if name not in zoo.list_models(spec=spec):
        return
    split = TensorSplit(**columns)
    predictor = Predictor(zoo.create_model(name, spec, width=4), spec, {})
    _, output, target = evaluate(predictor, split)
    text = over_time(predictor, Splits(spec, split, split, split), output, target)
    assert text.count("When the answer turned") == 1 and "a<b" not in text
    assert ("Hidden units over time" in text) == name.startswith("rnn")


def test_images_and_counts_are_those_of_the_outputs(tmp_path, digits):
    splits, predictor = digits
    _, outputs, targets = evaluate(predictor, splits.test)
    n_right = int((outputs.argmax(1) == targets).sum())
    text = report(tmp_path, predictor, splits)
    assert text.count("<img") == 2 * 12 + len(filters(predictor))  # mistakes, heat maps and filters
    assert f"{n_right} of 200 test samples are right" in text
    assert f"The 12 of {200 - n_right} wrong answers" in text
    assert "confusion matrix" in text
    assert "zoo train model=m data=wine seed=0" in text
    assert "# image: 1 x 28 x 28, uint8" in text
    assert "zoo.load(&#x27;model.safetensors&#x27;)" in text
    assert str(tmp_path) not in text


def test_the_surest_mistake_comes_first(tmp_path, digits):
    splits, predictor = digits
    targets = splits.test.columns["target"]
    outputs = 20.0 * torch.nn.functional.one_hot(targets, 10)
    for index, logit in ((5, 25.0), (7, 30.0)):
        outputs[index, (targets[index] + 1) % 10] = logit
    text = report(tmp_path, predictor, splits, outputs, targets)
    assert re.findall(r"test sample (\d+)", text) == ["7", "5"]
    assert f"true <b>{targets[7]}</b><br>predicted <b>{(targets[7] + 1) % 10}</b><br>probability <b>99.9%</b>" in text
    assert "198 of 200 test samples are right (99.0%)" in text


def test_a_model_without_mistakes_draws_none(tmp_path, digits):
    splits, predictor = digits
    targets = splits.test.columns["target"]
    text = report(tmp_path, predictor, splits, 20.0 * torch.nn.functional.one_hot(targets, 10), targets)
    assert "There are no mistakes on the test split." in text
    assert "<small>test sample" not in text


@pytest.mark.parametrize("rows", [ROWS[2:], ROWS[:1]], ids=["one epoch", "nothing validated"])
def test_a_chart_needs_a_single_epoch(tmp_path, digits, rows):
    splits, predictor = digits
    text = report(tmp_path, predictor, splits, rows=rows)
    assert text.count("over the epochs") == (3 if rows == ROWS[2:] else 2)


def test_regression_shows_the_largest_errors_first(tmp_path):
    splits = zoo.load_data("diabetes")
    targets = splits.test.columns["target"]
    outputs = targets.clone()
    outputs[11] += 100
    outputs[3] -= 200
    text = report(tmp_path, predictor_of("fnn/mlp", splits), splits, outputs, targets)
    assert re.findall(r"test sample (\d+)", text)[:2] == ["3", "11"]
    assert "predicted against true disease progression" in text


def made_up(class_names: list[str], inputs: str = "numeric") -> Splits:
    """Splits with a kind of input that the report may not know."""
    n = 2 * len(class_names)
    split = TensorSplit(**{inputs: torch.randn(n, 2)}, target=torch.arange(n) % len(class_names))
    spec = DataSpec(
        "made <up>",
        "classification",
        {inputs: Input((2,), axes=("n_numeric",), scaled_axis=0)},
        n_outputs=len(class_names),
        class_names=class_names,
        columns=[Column("$a$ < 1"), Column("b & $c$")],
    )
    return Splits(spec, split, split, split)


@pytest.mark.parametrize("n_classes", [2, 20, 30])
def test_names_are_escaped_at_any_number_of_classes(tmp_path, n_classes):
    splits = made_up([f"<b>${number}$ & a long name" for number in range(n_classes)])
    text = report(tmp_path, predictor_of("fnn/mlp", splits), splits)
    assert "m on made &lt;up&gt;" in text
    assert "<b>$1$" not in text
    assert "&lt;b&gt;$1$ &amp; a long name" in text
    assert "$a$ &lt; 1" in text


def test_samples_of_an_unknown_input_are_listed_without_drawings(tmp_path):
    splits = made_up(["a", "b"])
    predictor = predictor_of("fnn/mlp", splits)
    targets = splits.test.columns["target"]
    outputs = torch.nn.functional.one_hot(1 - targets, 2).float()
    write_report(
        run_folder(tmp_path),
        {"model": {"name": "m"}, "data": {"name": "wine"}, "seed": 0},
        made_up(["a", "b"], inputs="graph"),
        metrics_of({}, {"loss": float("nan")}),
        predictor,
        (outputs, targets),
    )
    text = (tmp_path / "report.html").read_text()
    assert text.count('<figure class="card">') == 4
    assert "<td>loss<td>-<td>-" in text


def test_metrics_of_a_run_fit_in_100_columns(tmp_path):
    metrics = metrics_of({"loss": 0.5, "accuracy": 0.75}, {"loss": 0.625, "accuracy": 0.875})
    (tmp_path / "metrics.json").touch()
    text = metrics_table({**metrics, "device": "a device " * 20}, tmp_path)
    lines = [line.split() for line in text.splitlines()]
    assert lines[:3] == [["val", "test"], ["loss", "0.5000", "0.6250"], ["accuracy", "0.7500", "0.8750"]]
    assert ["parameters", "12,345"] in lines
    assert ["files", str(tmp_path / "metrics.json")] in lines
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "\x1b" not in text


def test_metrics_of_an_evaluation_name_no_files():
    text = metrics_table({"test": {"loss": 1.0}, "n_parameters": 1, "seconds": {"total": 1.0}, "device": "cpu"}, None)
    assert "loss          1.000" in text
    assert "files" not in text


def job(folder: Path, accuracy: float, model: str = "cnn/small", data: str = "mnist5k", **options) -> None:
    """A finished job of a sweep, in a nested folder; data brings its own epochs."""
    folder.mkdir(parents=True)
    config = {
        "model": {"name": model, "width": len(model)},
        "data": {"name": data, "augment": {}},
        "trainer": {"max_epochs": len(data)},
        "optim": {"lr": 0.1, "betas": [0.9, 0.99], **options},
        "seed": len(list(folder.parent.iterdir())),
        "run_dir": str(folder),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    values = {"loss": 1 - accuracy, "accuracy": accuracy}
    (folder / "metrics.json").write_text(json.dumps({"val": values, "test": values}))


def summary_of(folder: Path) -> tuple[str, list[dict[str, str]]]:
    text = write_summary(folder)
    with open(folder / "summary.csv", newline="") as file:
        return text, list(csv.DictReader(file))


def test_summary_groups_by_model_over_seeds(tmp_path):
    for index, accuracy in enumerate((0.7, 0.8, 0.9)):
        job(tmp_path / "model=cnn" / f"small,seed={index}", accuracy)
    job(tmp_path / "model=rnn/lstm" / "gru,seed=0", 0.5, model="rnn/gru", data="japanese_vowels")
    (tmp_path / "unfinished").mkdir()
    text, rows = summary_of(tmp_path)
    assert list(rows[0]) == ["model.name", "data.name", "split", "metric", "n", "mean", "std"]
    measured = {row["model.name"]: row for row in rows if row["metric"] == "accuracy"}
    assert measured["cnn/small"]["n"] == "3"
    assert float(measured["cnn/small"]["mean"]) == pytest.approx(0.8)
    assert float(measured["cnn/small"]["std"]) == pytest.approx(0.1)
    assert (measured["rnn/gru"]["n"], measured["rnn/gru"]["std"]) == ("1", "")
    assert "0.8000 ± 0.1" in text
    assert "0.5000\n" in text


def test_a_choice_of_settings_is_made_by_validation_and_leaves_the_test_split_out(tmp_path):
    for index, (lr, accuracy) in enumerate([(0.1, 0.6), (0.2, 0.9), (0.2, 0.7), (0.3, 0.5)]):
        job(tmp_path / f"lr={lr},seed={index}", accuracy, lr=lr)
    text, rows = summary_of(tmp_path)
    assert {row["split"] for row in rows} == {"val"}
    assert [line.split()[0] for line in text.splitlines()[2:5]] == ["0.2", "0.1", "0.3"]
    assert "best by validation: optim.lr=0.2, val loss 0.2000 (mean of 2)" in text
    assert f"zoo evaluate {tmp_path / 'lr=0.2,seed=1'}" in text
    for loss in ("focal", "cross_entropy"):
        job(tmp_path / "losses" / loss, 0.9)
        with open(tmp_path / "losses" / loss / "config.yaml", "a") as file:
            file.write(f"task: {{loss: {loss}}}\n")
    assert "cannot be compared" in write_summary(tmp_path / "losses")


def test_summary_shows_every_key_that_varies_within_a_model(tmp_path):
    for index, (lr, decay) in enumerate([(0.1, 0.0), (0.1, 0.1), (0.2, 0.0)]):
        job(tmp_path / f"lr{index}", 0.5, lr=lr, weight_decay=decay)
    job(tmp_path / "rnn", 0.5, model="rnn/gru")
    _, rows = summary_of(tmp_path)
    assert list(rows[0])[:3] == ["model.name", "optim.lr", "optim.weight_decay"]
    assert {row["n"] for row in rows} == {"1"}


def test_summary_of_seeds_alone_names_model_and_data(tmp_path):
    for seed in range(2):
        job(tmp_path / f"seed={seed}", 0.5)
    text, rows = summary_of(tmp_path)
    assert (rows[0]["model.name"], rows[0]["data.name"], rows[0]["n"]) == ("cnn/small", "mnist5k", "2")
    assert {row["split"] for row in rows} == {"val", "test"} and "best" not in text
    assert write_summary(tmp_path) == text


def test_summary_before_any_job_is_finished(tmp_path):
    assert "no finished job" in write_summary(tmp_path)


def test_each_output_of_a_regression_has_its_chart(tmp_path):
    x, y = torch.randn(30, 2), torch.randn(30, 3)
    split = TensorSplit(numeric=x, target=y)
    inputs = {"numeric": Input((2,), axes=("n_numeric",), scaled_axis=0)}
    splits = Splits(
        DataSpec("d", "regression", inputs, 3, Input((3,), scaled_axis=0), columns=[Column("a"), Column("b")]),
        split,
        split,
        split,
    )
    text = report(tmp_path, predictor_of("fnn/mlp", splits), splits, y + 1, y)
    assert len(re.findall(r'aria-label="predicted against true class, output \d"', text)) == 3


def test_runs_are_listed_by_validation_with_their_state(tmp_path):
    job(tmp_path / "good", 0.9, lr=0.1)
    job(tmp_path / "deep" / "poor", 0.5, lr=0.2)
    states = {"interrupted": "0.5", "diverged": "nan"}
    for name, loss in states.items():
        job(tmp_path / name, 0.5, lr=0.3)
        (tmp_path / name / "metrics.json").unlink()
        (tmp_path / name / "metrics.csv").write_text(f"epoch,train/loss,val/loss\n1,0.5,0.7\n2,{loss},\n")
    job(tmp_path / "pruned", 0.5)
    (tmp_path / "pruned" / "metrics.json").unlink()
    record_failure(tmp_path / "pruned", 0, 0, "pruned after epoch 2")
    with FileLock(tmp_path / "running" / "checkpoints" / ".lock"):
        (tmp_path / "running" / "config.yaml").write_text("model: {name: fnn/mlp}\n")
        runs = find_runs(tmp_path)
    found = {run.folder.name: (run.state, run.epochs, run.loss) for run in runs}
    assert found["good"] == ("finished", 0, pytest.approx(0.1))
    assert found["interrupted"] == ("interrupted", 2, 0.7)
    assert [found[name][0] for name in ("diverged", "pruned", "running")] == ["diverged", "pruned", "running"]
    lines = runs_table(runs, tmp_path, None).splitlines()
    assert lines[0].split()[-1] == "run" and {"optim.lr", "accuracy", "state"} <= set(lines[0].split())
    names = [line.split()[-1] for line in lines]
    assert names.index("good") < names.index("deep/poor") < names.index("interrupted")
    assert all(len(line) <= 70 for line in runs_table(runs, tmp_path, 70).splitlines())
