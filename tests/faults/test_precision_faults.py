"""Fault 29: values with a large offset are trained and evaluated like the same values without it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import zoo
from zoo.core.spec import DataSpec, float_type
from zoo.data import load_data
from zoo.data.readers import read_labelled
from zoo.data.stored import StoredSplit
from zoo.inference.evaluation import evaluate_weights
from zoo.inference.predict_files import predict_file

OFFSET = 3e7
QUICK = ("trainer=cpu", "trainer.max_epochs=2", "trainer.precision=32-true")


def wave(n=240, offset=0.0):
    noise = np.random.default_rng(0).normal(size=n)
    return (np.sin(np.arange(n) / 4) * 5 + noise / 2).round(3) + offset


def series_file(folder: Path, offset: float) -> Path:
    path = folder / f"meter{offset:g}.csv"
    times = pd.date_range("2024-01-01", periods=240, freq="h")
    pd.DataFrame({"when": times, "meter": wave(offset=offset)}).to_csv(path, index=False)
    return path


def table_file(folder: Path, inputs: float, target: float) -> Path:
    path = folder / f"table{inputs:g}-{target:g}.csv"
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 200)).round(4)
    z = (3 * x - 2 * y).round(3)
    pd.DataFrame({"easting": x + inputs, "northing": y + inputs, "height": z + target}).to_csv(path, index=False)
    return path


def trained(config, folder: Path, *overrides: str) -> tuple[dict, "zoo.inference.predictor.Predictor"]:
    metrics = zoo.train(config(*overrides, *QUICK), folder)
    return metrics, zoo.load(folder)


def alike(one: dict, other: dict) -> None:
    for split in ("val", "test"):
        assert one[split] == pytest.approx(other[split], rel=1e-3)


def test_fault_29_float64_is_for_values_that_float32_does_not_distinguish():
    """Values are stored in float64 if float32 distinguishes fewer than 4,096 values in their range; others are not."""
    for fine in ((0, 1), (0, 0), (-5e8, 5e8), (2006, 2010), (0, 3e38), ()):
        assert float_type(fine) == "float32"
    for coarse in ((OFFSET - 5, OFFSET + 5), (-OFFSET - 5, -OFFSET + 5), (5_400_000, 5_400_300)):
        assert float_type((0, 1), coarse) == "float64"


def test_fault_29_a_series_with_an_offset_is_forecast_as_without(config, tmp_path):
    """A series of 30,000,000 ± 5 is trained, evaluated and forecast like the same series less 30,000,000, and its
    forecasts are written in full.
    """
    options = (
        "model=rnn/lstm",
        "data=series",
        "data.look_back=12",
        "data.horizon=3",
        "model.width=8",
        "model.bidirectional=false",
    )
    runs = [
        trained(config, tmp_path / f"run{offset:g}", *options, f"data.path={series_file(tmp_path, offset)}")
        for offset in (0, OFFSET)
    ]
    (plain, one), (raised, other) = runs
    alike(plain, raised)
    assert evaluate_weights(tmp_path / f"run{OFFSET:g}")["test"] == pytest.approx(raised["test"], rel=1e-6)
    answers = tmp_path / "answers.csv"
    predict_file(other, series_file(tmp_path, OFFSET), answers)
    expected = np.array(one.predict(series_file(tmp_path, 0))) + OFFSET
    np.testing.assert_allclose(pd.read_csv(answers)[["meter"]], expected, rtol=0, atol=1e-3)
    window = wave(offset=OFFSET)[-12:, None]
    np.testing.assert_allclose(other.predict(window), other.predict(series_file(tmp_path, OFFSET)), rtol=1e-12)
    step, _ = other.model.step(None, sequence=torch.tensor(window[:1]))
    assert step.dtype == torch.float64


def test_fault_29_a_counter_that_moves_little_is_not_a_constant(tmp_path, capsys):
    """A counter of 1,000,000,000 ± 5 is not treated as a constant."""
    splits = load_data("series", path=str(series_file(tmp_path, 1e9)), look_back=12, horizon=3)
    assert "one value only" not in capsys.readouterr().out
    assert splits.train.series.dtype == torch.float64


@pytest.mark.parametrize(("inputs", "target"), [(5.4e6, 0), (0, OFFSET), (1.7e9, OFFSET)])
@pytest.mark.parametrize("cache", ["false", "true"])
def test_fault_29_a_table_with_offsets_is_learnt_as_without(config, tmp_path, monkeypatch, inputs, target, cache):
    """Columns such as coordinates or epoch seconds, and targets with an offset, give the errors and predictions of
    the same table without offsets, in memory and memory-mapped.
    """
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    options = ("model=fnn/mlp", "data=csv", "data.target=height", f"data.cache={cache}", "data.split=random")
    plain, one = trained(config, tmp_path / "plain", *options, f"data.path={table_file(tmp_path, 0, 0)}")
    path = table_file(tmp_path, inputs, target)
    raised, other = trained(config, tmp_path / "raised", *options, f"data.path={path}")
    alike(plain, raised)
    assert other.spec.inputs["numeric"].dtype == ("float64" if inputs else "float32")
    frame = pd.read_csv(path)
    expected = np.array(one.predict(frame.assign(easting=frame.easting - inputs, northing=frame.northing - inputs)))
    np.testing.assert_allclose(np.array(other.predict(frame)) - target, expected, atol=1e-3)
    np.testing.assert_allclose(other.predict(frame[["easting", "northing"]].to_numpy()), other.predict(frame))
    again = evaluate_weights(tmp_path / "raised", data={"name": "csv", "path": str(path)})
    difference = np.array(other.predict(frame)) - frame.height
    assert again["test"]["mae"] == pytest.approx(np.abs(difference).mean(), rel=1e-5)


def test_fault_29_several_seeds_and_ensembles_keep_the_offset(config, tmp_path):
    """Several seeds at once, ensembles and distilled models handle offsets like one model."""
    from zoo.inference.ensembling import ensemble
    from zoo.training import train_seeds

    options = ("model=fnn/mlp", "data=csv", "data.target=height", f"data.path={table_file(tmp_path, 1.7e9, OFFSET)}")
    measured = train_seeds(config(*options, *QUICK, "seeds=[0,1]"), tmp_path / "both")
    alone = zoo.train(config(*options, *QUICK, "seed=1"), tmp_path / "one")
    alike(alone, measured[1])
    card = ensemble(
        [tmp_path / "both" / f"seed={seed}" / "model.safetensors" for seed in (0, 1)], tmp_path / "m.safetensors"
    )
    assert card["metrics"]["test"]["rmse"] < 5
    student = zoo.train(
        config(*options, *QUICK, f"distill.teacher={tmp_path / 'm.safetensors'}", "optim.ema=0.9"), tmp_path / "student"
    )
    assert student["test"]["rmse"] < 5


def test_fault_29_sequences_with_an_offset_are_learnt_as_without(config, tmp_path):
    """Sequences and targets with an offset are learnt like the same ones without."""
    rng = np.random.default_rng(0)
    values, level = rng.normal(size=(60, 8, 1)), rng.normal(size=(60, 1, 1)).round(3)
    for offset in (0, OFFSET):
        np.savez(tmp_path / f"{offset:g}.npz", X=values + level + offset, y=level.ravel() + offset)
    options = ("model=rnn/lstm", "data=sequences", "data.task=regression", "model.width=8")
    runs = [
        trained(config, tmp_path / f"run{o:g}", *options, f"data.path={tmp_path / f'{o:g}.npz'}") for o in (0, OFFSET)
    ]
    alike(runs[0][0], runs[1][0])
    raw = (values + level)[:3]
    answers = [np.array(model.predict(list(raw + o))) - o for o, (_, model) in zip((0, OFFSET), runs, strict=True)]
    np.testing.assert_allclose(*answers, atol=1e-3)


def test_fault_29_times_within_a_minute_stay_distinct(tmp_path):
    """Times within one minute stay distinct as numbers."""
    seconds = np.arange(60)
    frame = pd.DataFrame({"at": pd.Timestamp("2024-05-01 12:00") + pd.to_timedelta(seconds, "s"), "y": seconds * 1.5})
    frame.to_csv(tmp_path / "t.csv", index=False)
    columns = load_data("csv", path=str(tmp_path / "t.csv"), target="y", schema=None).train.columns
    assert len(columns["numeric"][:, 0].unique()) == len(columns["numeric"])


def test_fault_29_mapped_rows_keep_float64_and_are_shared_by_folds(tmp_path, monkeypatch):
    """A memory-mapped table keeps float64, in one file for all folds."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("zoo.data.stored.IN_MEMORY", 0)
    path = table_file(tmp_path, 1.7e9, 0)
    for fold in (0, 1):
        splits = load_data("csv", path=str(path), target="height", cache=True, fold=fold)
        assert isinstance(splits.train, StoredSplit)
        assert splits.train[0]["numeric"].dtype == torch.float64
    assert len(list((tmp_path / "cache" / "tables").glob("*.numeric"))) == 1


def test_fault_29_ordinary_values_stay_in_float32_and_a_spec_keeps_its_ranges(tmp_path):
    """An ordinary table stays in float32; its spec holds each column's range, and one without ranges still loads."""
    spec = load_data("csv", path=str(table_file(tmp_path, 0, 0)), target="height").spec
    assert {spec.inputs["numeric"].dtype, spec.target.dtype} == {"float32"}
    again = DataSpec.from_json(spec.to_json())
    assert [column.range for column in again.columns] == [column.range for column in spec.columns] != [(), ()]
    old = spec.to_json()
    for column in old["columns"]:
        del column["range"]
    assert DataSpec.from_json(old) == spec


def test_fault_29_targets_of_images_with_an_offset_stay_distinct(tmp_path):
    """Regression targets of images are stored in float64 if float32 does not distinguish them, in training and in
    evaluation.
    """
    for number in range(12):
        Image.fromarray(np.full((8, 8), number * 20, dtype=np.uint8)).save(tmp_path / f"{number}.png")
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(12)], "label": OFFSET + np.arange(12) / 4})
    table.to_csv(tmp_path / "labels.csv", index=False)
    section = {"path": None, "labels": str(tmp_path / "labels.csv")}
    splits = load_data("imagefolder", task="regression", cache=False, **section)
    again = read_labelled(splits.spec, {"name": "imagefolder", **section})
    assert splits.spec.target.dtype == "float64"
    assert sorted(float(again[row]["target"]) for row in range(12)) == table["label"].tolist()
