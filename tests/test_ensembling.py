"""Ensembles: several models in one file, whose outputs are their mean."""

import numpy as np
import pytest
import torch
from helpers.commands import in_this_process

import zoo
from zoo.core.errors import UserError
from zoo.core.run_folder import finished_runs
from zoo.inference.ensembling import ensemble
from zoo.inference.evaluation import evaluate_weights
from zoo.inference.reproduction import compare_ensemble

SHORT = ("trainer=cpu", "trainer.max_epochs=2")


@pytest.fixture(scope="module")
def runs(config, tmp_path_factory):
    """Two seeds of a classifier and of a regression, and one of another architecture."""
    folder = tmp_path_factory.mktemp("runs")
    zoo.train_seeds(config("model=fnn/mlp", "seeds=[0,1]", *SHORT), folder / "classes")
    zoo.train_seeds(config("model=fnn/mlp", "data=diabetes", "seeds=[0,1]", *SHORT), folder / "values")
    zoo.train(config("model=fnn/perceptron", *SHORT), folder / "other")
    return folder


def files(folder):
    return sorted(folder.rglob("model.safetensors"))


@pytest.mark.parametrize(("name", "data"), [("classes", "breast_cancer"), ("values", "diabetes")])
def test_an_ensemble_predicts_the_mean_of_its_members(runs, tmp_path, name, data):
    card = ensemble(files(runs / name), tmp_path / "both.safetensors")
    members = [zoo.load(path) for path in files(runs / name)]
    both = zoo.load(tmp_path / "both.safetensors")
    raw = zoo.load_data(data).test.columns["numeric"].numpy()
    for model in (both, *members):
        model.model.temperature = 1.0  # of the mean, not of the members
    ask = "predict_proba" if name == "classes" else "predict"
    answers = [np.array(getattr(model, ask)(raw)) for model in (both, *members)]
    np.testing.assert_allclose(answers[0], np.mean(answers[1:], axis=0), rtol=1e-4, atol=1e-5)
    assert both.features(raw).shape[1] == 2 * members[0].features(raw).shape[1]
    assert card["members"] == 2 and card["seeds"] == [0, 1]
    loss = zoo.evaluate(tmp_path / "both.safetensors", zoo.load_data(data).test)[0]["loss"]
    assert loss == pytest.approx(card["metrics"]["test"]["loss"])
    loss = zoo.evaluate(both, zoo.load_data(data).test)[0]["loss"]
    assert loss < np.mean([zoo.evaluate(model, zoo.load_data(data).test)[0]["loss"] for model in members])  # convexity


def test_a_rebuilt_ensemble_is_compared_with_its_card(runs, tmp_path):
    metrics = ensemble(files(runs / "classes"), tmp_path / "both.safetensors")["metrics"]
    card = {"file": {"seeds": [0, 1], **metrics}, "metrics": metrics}
    folders = finished_runs(runs / "classes")
    same = compare_ensemble(card, folders, tmp_path / "again.safetensors")
    assert len(same) == 8
    assert all(entry.within and entry.difference == 0 for entry in same)
    assert zoo.load(tmp_path / "again.safetensors").card["metrics"] == metrics
    card["file"]["test"] = {name: value / 2 for name, value in metrics["test"].items()}
    other = compare_ensemble(card, folders, tmp_path / "again.safetensors")
    assert [entry.within for entry in other] == [entry.split == "val" for entry in other]


def test_recurrent_networks_form_an_ensemble(config, tmp_path):
    for seed in (0, 1):
        zoo.train(config("model=rnn/lstm", "model.width=8", f"seed={seed}", *SHORT), tmp_path / str(seed))
    ensemble(files(tmp_path), tmp_path / "both.safetensors")
    sequences = [torch.randn(n, 12).numpy() for n in (9, 20)]
    assert zoo.load(tmp_path / "both.safetensors").predict_proba(sequences).shape == (2, 9)


def test_members_trained_on_other_splits_are_refused(config, runs, tmp_path):
    for fold in (0, 1):
        zoo.train(config("model=fnn/mlp", "data.n_folds=2", f"data.fold={fold}", *SHORT), tmp_path / str(fold))
    with pytest.raises(UserError, match="trained on the same split"):
        ensemble(files(tmp_path), tmp_path / "x.safetensors")
    ensemble(files(runs / "classes"), tmp_path / "both.safetensors")
    with pytest.raises(UserError, match="is an ensemble itself"):
        ensemble([*files(runs / "classes"), tmp_path / "both.safetensors"], tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("other",), "two trained models or more"),
        (("classes", "other"), "another than"),
        (("classes", "values"), "another"),
    ],
)
def test_models_that_differ_are_refused(runs, tmp_path, names, message):
    with pytest.raises(UserError, match=message):
        ensemble([path for name in names for path in files(runs / name)], tmp_path / "x.safetensors")


def test_the_command_writes_an_ensemble_that_can_be_evaluated(runs, tmp_path, monkeypatch, capsys):
    evaluate_weights(runs / "other", run_dir=runs / "classes" / "measured")  # no training, and not taken for one
    both = str(tmp_path / "both.safetensors")
    assert in_this_process("ensemble", [str(runs / "classes"), both], monkeypatch) == 0
    assert "2 models in" in capsys.readouterr().out
    assert in_this_process("evaluate", [f"weights={both}"], monkeypatch) == 0
    assert "accuracy" in capsys.readouterr().out
    assert in_this_process("ensemble", [str(tmp_path / "nothing"), "x.safetensors"], monkeypatch) == 2
    assert "nothing is not a folder" in capsys.readouterr().err
