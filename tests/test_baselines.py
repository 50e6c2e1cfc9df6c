"""Baselines: naive answers, quick references, and the model beside them."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.baselines import linear_networks
from zoo.baselines.linear_networks import DLinear, NLinear, trained_forecast
from zoo.baselines.measuring import Measure, measure_baselines
from zoo.baselines.text import LONGEST, WEIGHT, ngram
from zoo.core.spec import DataSpec, Input
from zoo.data.sequences.splits.text_stream import stream_windows
from zoo.data.sequences.splits.windows import Window, series_splits
from zoo.data.splits import Splits, TensorSplit, batches, each_value_once
from zoo.inference.evaluation import evaluate_weights
from zoo.models.preprocess import Preprocess
from zoo.tasks import create_task
from zoo.tasks.forecasting import find_season


def measured(splits, **options):
    """The facts of all baselines, by name."""
    preprocess, task = Preprocess(splits.spec), create_task(splits.spec)
    preprocess.fit(each_value_once(splits.train))
    measure = Measure(splits, task, preprocess.scale_target)
    return {
        name: one.facts for name, one in measure_baselines(splits, create_task(splits.spec, **options), measure).items()
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Small files of every kind of data that has no set without network."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    mark, kind = rng.normal(size=200), rng.choice(["a", "b", "c"], 200)
    table = pd.DataFrame({"mark": mark, "kind": kind, "sunny": mark > 0, "even": (kind == "a") | (mark > 1)})
    table.loc[:9, "mark"] = None
    table.to_csv(folder / "labels.csv", index=False)
    steps = np.arange(400)
    noise = rng.normal(scale=0.1, size=400)
    pd.DataFrame({"load": np.sin(steps * 2 * np.pi / 12) + noise}).to_csv(folder / "series.csv", index=False)
    words = rng.choice(["fine", "good", "lovely", "bad", "awful", "poor"], (120, 3))
    moods = ["up" if word in ("fine", "good", "lovely") else "down" for word in words[:, 0]]
    pd.DataFrame({"text": [" ".join([row[0]] * 3) for row in words], "mood": moods}).to_csv(folder / "texts.csv")
    (folder / "book.txt").write_text("the cat sat on the mat and the rat ran. " * 60)
    return folder


EVERY_KIND = {
    "breast_cancer": ({}, "majority class", {"logistic regression", "gradient boosting"}),
    "diabetes": ({}, "mean", {"ridge regression", "gradient boosting"}),
    "csv": (
        {"path": "labels.csv", "target": ["sunny", "even"]},
        "most frequent labels",
        {"logistic regression", "gradient boosting"},
    ),
    "mnist5k": ({}, "majority class", {"logistic regression on 16 x 16 pixels"}),
    "japanese_vowels": ({}, "majority class", {"MiniRocket"}),
    "series": ({"path": "series.csv", "look_back": 24, "horizon": 6}, "last value", {"ridge regression on the window"}),
    "texts": (
        {"path": "texts.csv", "target": "mood", "text": "text"},
        "majority class",
        {"logistic regression on TF-IDF"},
    ),
    "text": ({"path": "book.txt", "n_steps": 32}, "frequency of each character", {"n-gram counts"}),
}


@pytest.mark.parametrize("name", EVERY_KIND)
def test_quick_references_of_every_kind_of_data_beat_the_naive_answer(name, files):
    options, naive, references = EVERY_KIND[name]
    options = {key: files / value if key == "path" else value for key, value in options.items()}
    splits = zoo.load_data(name, **{key: str(value) if key == "path" else value for key, value in options.items()})
    found, task = measured(splits), create_task(splits.spec)
    assert next(iter(found)) == naive  # first
    assert {each for each, facts in found.items() if not facts["naive"]} == references
    sign = 1 if task.score_mode == "max" else -1
    for split in ("val", "test"):
        assert found[naive][split].keys() == {"loss", *task.metrics()}
        for reference in references:
            assert sign * found[reference][split][task.score] > sign * found[naive][split][task.score]
            assert found[reference][split]["loss"] < found[naive][split]["loss"]


def table_of(target, task="classification", **spec):
    """Splits that are all the same table of a column and these targets."""
    split = TensorSplit(numeric=torch.arange(float(len(target)))[:, None], target=target)
    inputs = {"numeric": Input((1,), axes=("n_numeric",), scaled_axis=0)}
    if target.is_floating_point():
        spec["target"] = Input(target.shape[1:], scaled_axis=None if task == "multi_label" else 0)
    return Splits(DataSpec("ten", task, inputs, **spec), split, split, split)


def test_naive_answers_are_the_majority_the_mean_or_median_and_the_most_frequent_labels():
    classes = table_of(torch.tensor([0] * 3 + [1] * 7), n_outputs=2, class_names=["no", "yes"])
    majority = measured(classes)["majority class"]["val"]
    assert majority["accuracy"] == pytest.approx(0.7)
    assert majority["loss"] == pytest.approx(-(0.3 * math.log(4 / 12) + 0.7 * math.log(8 / 12)))
    values = table_of(torch.tensor([0.0] * 9 + [10.0])[:, None], "regression", n_outputs=1)
    assert measured(values)["mean"]["val"]["rmse"] == pytest.approx(3.0)
    assert measured(values, loss="mae")["median"]["val"]["mae"] == pytest.approx(1.0)
    rows = [[1.0, 0.0, 1.0]] * 4 + [[1.0, 0.0, 0.0]] * 3 + [[1.0, 1.0, 0.0]] * 3  # label 2 is rarer than not
    labels = table_of(torch.tensor(rows), "multi_label", n_outputs=3, class_names=["a", "b", "c"])
    assert measured(labels)["most frequent labels"]["val"]["exact"] == pytest.approx(0.4)


def test_the_season_of_a_series_is_found_and_noise_has_none():
    steps = torch.arange(300.0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(300, generator=generator)
    for values, season in (((steps * 2 * math.pi / 7).sin() + 0.1 * noise, 7), (noise.cumsum(0), 1)):
        windows = values.unfold(0, 30, 1)[..., None]  # (n, 30, 1)
        assert find_season(windows[:, :20], windows[:, 20:]) == season


def test_an_n_gram_is_what_counting_gives():
    """A plain loop over the text gives the same probabilities; the padding of its last window is not counted."""
    stream = torch.randint(1, 4, (50,), generator=torch.Generator().manual_seed(0))
    split = stream_windows(stream, 8)
    spec = DataSpec("abc", "language_modelling", {"tokens": Input((None,), "int64")}, 4)
    probabilities = ngram(spec, split.columns["target"], split.columns["tokens"])(split.columns["tokens"]).exp()
    text = [None] * LONGEST + stream.tolist()  # nothing before its start
    for step in (0, 7, 8, 48):
        expected = np.full(4, 1 / 4)
        for n in range(LONGEST + 1):
            context = text[LONGEST + step + 1 - n : LONGEST + step + 1]
            followed = [text[i] for i in range(LONGEST + 1, len(text)) if text[i - n : i] == context]
            kinds, counts = len(set(followed)), np.bincount(followed, minlength=4)
            if followed:
                expected = (counts + WEIGHT * kinds * expected) / (len(followed) + WEIGHT * kinds)
        np.testing.assert_allclose(probabilities.flatten(0, 1)[step], expected, rtol=1e-5)


def test_a_baseline_that_fails_is_left_out_with_a_line(capsys):
    one_class = table_of(torch.zeros(10, dtype=torch.int64), n_outputs=2, class_names=["no", "yes"])
    assert set(measured(one_class)) == {"majority class"}
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["baseline left out", name] for name in ("gradient boosting", "logistic regression")
    ]


def test_a_reference_that_would_take_minutes_is_left_out_with_a_line(capsys):
    many = table_of(torch.arange(100) % 50, n_outputs=50, class_names=[str(i) for i in range(50)])
    assert set(measured(many)) == {"majority class", "logistic regression"}
    assert capsys.readouterr().out == "baseline left out: gradient boosting: 50 outputs would take minutes\n"


def test_a_large_split_gives_baselines_a_part_that_they_name(monkeypatch):
    monkeypatch.setattr("zoo.baselines.measuring.MOST_SAMPLES", 100)
    found = measured(zoo.load_data("breast_cancer"))
    assert {facts["part"] for facts in found.values()} == {"100 of 341 samples"}


def test_a_training_has_its_baselines_in_metrics_table_and_report(tmp_path):
    run = zoo.train(zoo.config("fnn/mlp", "trainer.max_epochs=3"), tmp_path / "with")
    found = json.loads((tmp_path / "with/metrics.json").read_text())["baselines"]
    naive, *references = found
    assert naive == "majority class" and references == ["gradient boosting", "logistic regression"]
    better = run["val"]["accuracy"] - found[naive]["val"]["accuracy"]
    assert found[naive]["better_by"]["accuracy"] == pytest.approx(better)
    assert 0 < found[naive]["standard_error"]["accuracy"] < better
    page = (tmp_path / "with/report.html").read_text()
    for name in found:
        assert name in str(run) and name in page
    assert evaluate_weights(tmp_path / "with", split="val")["baselines"] == found
    assert "baselines" not in evaluate_weights(tmp_path / "with", data=zoo.config("fnn/mlp")["data"])


def test_baseline_false_leaves_them_out(runs):
    assert json.loads((runs["fnn"] / "metrics.json").read_text())["baselines"] == {}
    assert "majority class" not in (runs["fnn"] / "report.html").read_text()


def test_linear_networks_learn_a_season(monkeypatch):
    monkeypatch.setattr(linear_networks, "MOST_EPOCHS", 8)
    steps = torch.arange(300.0)
    values = torch.stack([torch.sin(steps / 2), 5 + 3 * torch.cos(steps / 3)], 1)
    splits = series_splits("made", [values], ["a", "b"], [(200, 240, 300)], Window(24, 4), reading={})
    batch = next(batches(splits.test))
    for network in (NLinear, DLinear):
        forecast = trained_forecast(network, splits)(batch)
        assert (forecast - batch["target"]).square().mean() < 0.3 * batch["target"].var(0).mean()
