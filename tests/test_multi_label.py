"""Multi-label classification, a task in one file: from tables and images to predictions, reports and ensembles."""

import copy
import csv
import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.inference.ensembling import ensemble
from zoo.inference.evaluation import evaluate_weights
from zoo.inference.held_out import check_compatible
from zoo.inference.predict_files import predict_file
from zoo.tasks import create_task
from zoo.training import train_seeds

LABELS = ["big", "even", "red"]
SPEC = DataSpec("made", "multi_label", {}, 3, Input((3,)), class_names=LABELS)
N = 300


def rows() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose labels follow from their numbers."""
    numbers = np.random.default_rng(0).normal(size=(N, 3)).round(3)
    return pd.DataFrame(numbers, columns=["x", "y", "z"]), (numbers > [0.0, 0.3, 0.8]).astype(int)


def write_columns(path, words=(0, 1)) -> None:
    frame, has = rows()
    frame[LABELS] = np.where(has, words[1], words[0])
    frame.to_csv(path, index=False)


def write_cells(path, mark="; ") -> None:
    frame, has = rows()
    frame["tags"] = [mark.join(name for name, one in zip(LABELS, row, strict=True) if one) for row in has]
    frame.to_csv(path, index=False)


TARGETS = "data.target=[" + ",".join(LABELS) + "]"


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """A run on a table with a column for each label, and the table."""
    folder = tmp_path_factory.mktemp("trained")
    write_columns(folder / "t.csv")
    data = ("data=csv", f"data.path={folder / 't.csv'}", TARGETS)
    zoo.train(config("model=fnn/mlp", *data, "trainer.max_epochs=40"), folder / "run")
    return folder


@pytest.mark.parametrize("words", [(0, 1), ("false", "true"), (False, True), ("no", "yes")])
def test_boolean_columns_are_labels(tmp_path, words):
    write_columns(tmp_path / "t.csv", words)
    splits = zoo.load_data("csv", path=str(tmp_path / "t.csv"), target=LABELS, task="multi_label")
    assert splits.spec.class_names == LABELS and splits.spec.target == Input((3,))
    batch = splits.train.__getitems__(range(len(splits.train)))
    assert torch.equal(batch["target"], (batch["numeric"] > torch.tensor([0.0, 0.3, 0.8])).float())


def test_several_binary_columns_are_inferred_as_labels(tmp_path, capsys):
    write_columns(tmp_path / "t.csv")
    assert zoo.load_data("csv", path=str(tmp_path / "t.csv"), target=LABELS).spec.task == "multi_label"
    assert (
        "multi-label classification of 3 labels; data.task=regression if these are amounts" in capsys.readouterr().out
    )
    assert zoo.load_data("csv", path=str(tmp_path / "t.csv"), target="big").spec.task == "classification"
    assert zoo.load_data("csv", path=str(tmp_path / "t.csv"), target=LABELS, task="regression").spec.n_outputs == 3


@pytest.mark.parametrize("mark", ["; ", "|", ","])
def test_cells_with_several_labels_equal_one_column_per_label(tmp_path, mark):
    write_columns(tmp_path / "columns.csv")
    write_cells(tmp_path / "cells.csv", mark)
    one = zoo.load_data("csv", path=str(tmp_path / "columns.csv"), target=LABELS)
    other = zoo.load_data("csv", path=str(tmp_path / "cells.csv"), target="tags", task="multi_label")
    assert other.spec.class_names == LABELS and len(other.train) == len(one.train)  # rows without a label stay
    for split in ("train", "val", "test"):
        ours, theirs = (getattr(splits, split)[:]["target"] for splits in (one, other))
        assert torch.equal(ours, theirs)


def test_invalid_label_cells_are_named(tmp_path):
    write_columns(tmp_path / "t.csv", (0, 2))
    with pytest.raises(UserError, match=r"'big' is 0 or 1, true or false, yes or no; there is '?2"):
        zoo.load_data("csv", path=str(tmp_path / "t.csv"), target=LABELS, task="multi_label")
    frame, _ = rows()
    frame.assign(tags="a;b").to_csv(tmp_path / "same.csv", index=False)
    with pytest.raises(UserError, match="nothing to learn: 'a', 'b' are the same in every training row"):
        zoo.load_data("csv", path=str(tmp_path / "same.csv"), target="tags", task="multi_label")


def test_a_table_is_trained_and_predicted(trained):
    metrics = json.loads((trained / "run" / "metrics.json").read_text())["test"]
    assert set(metrics) == {"loss", "f1", "map", "exact", "f1 big", "f1 even", "f1 red"}
    assert metrics["f1"] > 0.9 and metrics["map"] > 0.95 and metrics["exact"] > 0.8
    assert metrics["f1"] == pytest.approx(np.mean([metrics[f"f1 {name}"] for name in LABELS]), abs=1e-6)
    model = zoo.load(trained / "run")
    assert model.predict({"x": 2, "y": 2, "z": -2}) == ["big", "even"]
    assert model.predict([{"x": -2, "y": -2, "z": -2}, {"x": -2, "y": -2, "z": 3}]) == [[], ["red"]]
    probabilities = model.predict_proba([{"x": 2, "y": 2, "z": -2}] * 2)
    assert probabilities.shape == (2, 3) and (probabilities[0].round() == [1, 1, 0]).all()
    with pytest.raises(UserError, match="needs a language model"):
        model.generate()


def test_a_report_has_a_line_for_each_label(trained):
    text = (trained / "run" / "report.html").read_text()
    assert "<th>label<th>samples<th>answered<th>precision<th>recall<th>F1<th>threshold" in text
    assert all(f"<td>{name}<td>" in text for name in LABELS)
    assert "Surest mistakes" in text and "wrongly with" in text
    assert "harmonic mean of precision and recall, averaged over the labels" in text


def test_a_file_of_predictions_has_a_column_for_each_label(trained, tmp_path):
    predict_file(zoo.load(trained / "run"), trained / "t.csv", tmp_path / "answers.csv")
    with open(tmp_path / "answers.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["sample", "prediction", *LABELS]
    for line in lines[:50]:
        assert line["prediction"] == "; ".join(name for name in LABELS if float(line[name]) >= 0.5)


def test_other_rows_are_evaluated_in_either_form(trained, tmp_path):
    write_columns(tmp_path / "other.csv", ("no", "yes"))
    data = {"name": "csv", "path": str(tmp_path / "other.csv")}
    assert evaluate_weights(trained / "run", data=data)["test"]["f1"] > 0.9


def test_a_multi_label_model_is_not_evaluated_on_numbers(trained, tmp_path):
    spec = zoo.load(trained / "run").spec
    numbers = replace(spec, task="regression", class_names=[], target=Input((3,), scaled_axis=0))
    for other, what in ((numbers, "other classes"), (replace(spec, task="other"), "other task")):
        with pytest.raises(UserError, match=what):
            check_compatible(spec, other)


def test_a_model_trained_on_cells_of_labels_evaluates_other_cells(config, tmp_path):
    write_cells(tmp_path / "t.csv")
    data = ("data=csv", f"data.path={tmp_path / 't.csv'}", "data.target=tags", "data.task=multi_label")
    zoo.train(config("model=fnn/mlp", *data, "trainer.max_epochs=20"), tmp_path / "run")
    frame, _ = rows()
    frame.assign(tags=["big | red"] * (N - 1) + [""]).to_csv(tmp_path / "other.csv", index=False)
    other = {"name": "csv", "path": str(tmp_path / "other.csv")}
    assert evaluate_weights(tmp_path / "run", data=other)["test"]["f1 even"] == 0
    frame.assign(tags="big; rde").to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UserError, match="the labels of 'tags' are 'big', 'even', 'red'; there is 'big; rde' in row 2"):
        evaluate_weights(tmp_path / "run", data=other)


def test_seeds_ensembles_and_distillation_work_as_for_any_task(config, trained, tmp_path, capsys):
    data = ("data=csv", f"data.path={trained / 't.csv'}", TARGETS, "trainer=debug", "trainer.max_epochs=3")
    several = train_seeds(config("model=fnn/mlp", *data, "seeds=[0,1]"), tmp_path / "seeds")
    assert len(several) == 2
    weights = [tmp_path / "seeds" / f"seed={seed}" / "model.safetensors" for seed in (0, 1)]
    ensemble(weights, tmp_path / "both.safetensors")
    both, (one, other) = zoo.load(tmp_path / "both.safetensors"), map(zoo.load, weights)
    row = {"x": 0.1, "y": 0.2, "z": 0.3}
    mean = (one.predict_proba(row) + other.predict_proba(row)) / 2
    np.testing.assert_allclose(both.predict_proba(row), mean, atol=1e-6)
    zoo.train(config("model=fnn/mlp", *data, f"finetune={trained / 'run'}"), tmp_path / "finetuned")
    zoo.train(config("model=fnn/mlp", *data, f"distill.teacher={trained / 'run'}"), tmp_path / "student")
    assert "weights from" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["columns", "cells"])
def test_images_with_several_labels_are_trained_from_a_table(config, tmp_path, form):
    generator = np.random.default_rng(0)
    has = generator.random((60, 3)) < 0.5
    for number, row in enumerate(has):
        Image.fromarray((row * 200 + generator.integers(0, 50, (12, 12, 3))).astype(np.uint8)).save(
            tmp_path / f"{number}.png"
        )
    files = [f"{number}.png" for number in range(60)]
    colours = ["blue", "green", "red"]
    if form == "columns":
        frame = pd.DataFrame(has.astype(int), columns=colours)
        target = "data.target=[" + ",".join(colours) + "]"
    else:
        frame = pd.DataFrame({"tags": ["|".join(np.array(colours)[row]) for row in has]})
        target = "data.target=tags"
    frame.insert(0, "file", files)
    frame.to_csv(tmp_path / "labels.csv", index=False)
    data = ("data=imagefolder", f"data.labels={tmp_path / 'labels.csv'}", target, "data.task=multi_label")
    mixing = ("+data.augment.mixup={}", "trainer.max_epochs=8", "data.batch_size=8")
    metrics = zoo.train(config("model=cnn", *data, *mixing), tmp_path / "run")
    assert metrics["test"]["map"] > 0.9
    model = zoo.load(tmp_path / "run")
    assert model.spec.class_names == colours and isinstance(model.predict(tmp_path / "0.png")[0], str | list)
    assert "What the first layer looks for" in (tmp_path / "run" / "report.html").read_text()
    measured = evaluate_weights(tmp_path / "run", data={"name": "imagefolder", **_given(data)})
    assert measured["test"]["map"] > 0.9


def _given(data: tuple[str, ...]) -> dict:
    given = dict(setting.removeprefix("data.").split("=", 1) for setting in data[1:])
    target = given["target"]
    return {"path": None, **given, "target": target[1:-1].split(",") if target.startswith("[") else target}


def test_weights_and_smoothing_change_the_loss_as_documented():
    output, target = torch.randn(20, 3), torch.randint(2, (20, 3)).float()
    plain = F.binary_cross_entropy_with_logits(output, target)
    torch.testing.assert_close(create_task(SPEC).loss(output, target), plain)
    pos = torch.tensor([1.0, 2.0, 5.0])
    weighted = F.binary_cross_entropy_with_logits(output, target, pos_weight=pos)
    torch.testing.assert_close(create_task(SPEC, pos_weight=pos.tolist()).loss(output, target), weighted)
    one = F.binary_cross_entropy_with_logits(output[:, 0], target[:, 0])
    torch.testing.assert_close(create_task(SPEC, class_weights=[2, 0, 0]).loss(output, target), one)
    smooth = F.binary_cross_entropy_with_logits(output, target * 0.8 + 0.1)
    torch.testing.assert_close(create_task(SPEC, label_smoothing=0.2).loss(output, target), smooth)
    assert create_task(SPEC, loss="focal").loss(output, target) < plain


def test_metrics_can_be_copied_pickled_and_reset():
    task, output, target = create_task(SPEC, metrics=["HammingDistance"]), torch.randn(9, 3), torch.ones(9, 3)
    metrics = task.metrics()
    task.measure(metrics, output, target, torch.clone)
    other = pickle.loads(pickle.dumps(copy.deepcopy(metrics)))  # as for processes that are spawned
    assert other.compute() == metrics.compute()
    metrics.reset()
    task.measure(metrics, output + 9, target, torch.clone)
    assert metrics.compute()["hamming_distance"] == 0


def test_a_threshold_decides_and_is_saved_with_the_weights(config, trained, tmp_path):
    data = ("data=csv", f"data.path={trained / 't.csv'}", TARGETS, "trainer=debug", "trainer.max_epochs=3")
    zoo.train(config("model=fnn/mlp", *data, "task.threshold=[0.01,0.5,0.99]"), tmp_path)
    model, row = zoo.load(tmp_path), {"x": 0, "y": 0.3, "z": 3}
    probability = model.predict_proba(row)
    expected = [name for name, p, at in zip(LABELS, probability, (0.01, 0.5, 0.99), strict=True) if p >= at]
    assert model.predict(row) == expected and "big" in expected and "red" not in expected
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test"]["f1 red"] < 0.5
    assert "<td>0.99" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "task.threshold is between 0 and 1, one or 3; got 1.5"),
        ({"class_weights": [1, 2]}, "task.class_weights has one weight for each of 3 classes"),
        ({"pos_weight": [1, 2]}, "task.pos_weight has one weight for each of 3 classes"),
        ({"label_smoothing": 1}, "label_smoothing is at least 0 and below 1"),
        ({"loss": "cross_entropy"}, "no loss 'cross_entropy'; the nearest: binary_cross_entropy"),
        ({"metrics": ["HammingDistnace"]}, "the nearest: HammingDistance"),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        create_task(SPEC, **options).metrics()
