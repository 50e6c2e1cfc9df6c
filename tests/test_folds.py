"""Folds: each sample validates one model, and one file answers with the mean of all."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.core.errors import InterruptedTraining, UserError
from zoo.data.fingerprints import sample_hashes
from zoo.data.folds import fold_splits
from zoo.data.module import load_section
from zoo.settings.training_config import TrainingConfig

N = 60


def table(n=N, **columns):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=n), "b": random.choice(list("xyz"), n)})
    return frame.assign(y=np.where(frame["a"] + random.normal(size=n) > 0, "yes", "no"), **columns)


def section(path, frame, **options):
    frame.to_csv(path / "table.csv", index=False)
    return {"name": "csv", "path": str(path / "table.csv"), "target": "y", **options}


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "mnist5k", "japanese_vowels"])
def test_each_sample_that_is_not_for_testing_validates_one_model_that_has_not_seen_it(name):
    whole = zoo.load_data(name)
    pool = np.concatenate([sample_hashes(whole.train), sample_hashes(whole.val)])
    parts = [load_section({"name": name, "val_fold": [fold, 3]}) for fold in range(3)]
    validated = [sample_hashes(part.val) for part in parts]
    assert sorted(np.concatenate(validated)) == sorted(pool)
    assert max(map(len, validated)) - min(map(len, validated)) <= 1
    for part, seen in zip(parts, validated, strict=True):
        assert not np.isin(seen, sample_hashes(part.train)).any()
        assert len(part.train) == len(pool) - len(seen)
        assert part.spec == whole.spec and np.array_equal(sample_hashes(part.test), sample_hashes(whole.test))
    if whole.spec.class_names:
        shares = [torch.bincount(part.val.columns["target"]) for part in parts]
        assert all((one - shares[0]).abs().max() <= 1 for one in shares)


def test_the_samples_of_a_group_stay_in_one_fold(tmp_path):
    frame = table(g=np.arange(N) % 9)
    data = section(tmp_path, frame, group="g", split="group")
    held_out = [load_section({**data, "val_fold": [fold, 3]}).val.columns["numeric"][:, 0] for fold in range(3)]
    group_of = dict(zip(frame["a"].astype(np.float32), frame["g"], strict=True))
    groups = [{group_of[value] for value in values.numpy()} for values in held_out]
    assert not set.intersection(*groups) and sum(map(len, groups)) == len(set.union(*groups)) == 7


@pytest.mark.parametrize(
    ("folds", "columns", "options", "message"),
    [
        (50, {}, {}, "samples of the rarest class, '.*', .*\ntake folds="),
        (9, {"g": np.arange(N) % 9}, {"group": "g"}, "number of groups to train and validate 7; got 9\ntake folds=7"),
        (3, {"t": np.arange(N)}, {"time": "t"}, "split in its order, where later samples validate: leave out folds="),
    ],
)
def test_folds_that_cannot_be_are_refused(tmp_path, folds, columns, options, message):
    splits = load_section(section(tmp_path, table(**columns), **options))
    with pytest.raises(UserError, match=message):
        fold_splits(splits, 0, folds)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "folds is a whole number from 2, such as folds=8, or null for one model; got 1"),
        ({"folds": True}, "got True"),
        ({"folds": 2, "seeds": [0, 1]}, "leave out seeds="),
        ({"folds": 2, "resume": "changed"}, "give another run_dir; got resume=changed"),
        ({"folds": 2, "trainer": {"devices": 2}}, "trainer.devices=1"),
    ],
)
def test_settings_that_do_not_go_with_folds_are_refused(config, settings, message):
    with pytest.raises(UserError, match=message):
        TrainingConfig.of({**config("fnn/mlp"), **settings})


def test_the_file_of_all_folds_searches_all_rows_and_is_corrected_by_what_each_model_leaves_over(tmp_path):
    rows = np.random.default_rng(0).integers(40, size=200)
    places = np.random.default_rng(1).normal(size=(40, 3))
    frame = pd.DataFrame(places[rows], columns=["a", "b", "c"]).assign(y=places[rows] @ [1, 2, 3] + rows % 7)
    few = ["model.ridge_rows=0", "trainer.max_epochs=1", "baseline=false"]
    run = zoo.fit(frame, "y", "fnn/tabm_nca", *few, folds=2, run_dir=tmp_path)
    sizes = [len(zoo.load(tmp_path / f"fold={fold}").model.network.candidates) for fold in (0, 1)]
    assert sum(sizes) == 160
    for member in run.predictor.model.members:
        assert len(member.network.candidates) == len(member.network.fitted_left_over.residuals) == 160
    assert run["n_candidates"] == 2 * 160
    assert 0.1 < run["corrected"] < 1 and run["test"]["rmse"] < run["folds"]["test"]["rmse"]["mean"]


def test_folds_make_one_file_with_a_score_out_of_fold_also_after_a_kill(config, tmp_path):
    from lightning.pytorch.callbacks import Callback

    class Interrupt(Callback):
        def on_train_epoch_end(self, trainer, *args):
            if trainer.default_root_dir.endswith("fold=1") and trainer.current_epoch == 1:
                raise InterruptedTraining(15, "test")

    run = zoo.fit(
        table(), "y", "fnn/mlp", "trainer.max_epochs=3", "baseline=false", folds=2, run_dir=tmp_path / "whole"
    )
    data = json.loads((tmp_path / "whole" / "fold=0" / "metrics.json").read_text())
    folds = [data, json.loads((tmp_path / "whole" / "fold=1" / "metrics.json").read_text())]
    assert run["val"]["loss"] == pytest.approx(np.mean([fold["val"]["loss"] for fold in folds]))
    assert run["folds"]["test"]["loss"]["std"] == pytest.approx(np.std([one["test"]["loss"] for one in folds], ddof=1))
    assert run.predictor.calibration["n"] == 48  # each sample out of fold
    models = [run.predictor, *(zoo.load(tmp_path / "whole" / f"fold={fold}") for fold in (0, 1))]
    for model in models:
        model.model.temperature = 1.0  # of the mean, not of the members
    whole, *members = [model.predict_proba(table()) for model in models]
    np.testing.assert_allclose(whole, np.mean(members, axis=0), atol=1e-5)
    assert zoo.evaluate(run.path)[0]["loss"] == pytest.approx(run["test"]["loss"])
    with pytest.raises(UserError, match="validated on another fold"):
        zoo.evaluate(run.path, "val")

    parts = tmp_path / "parts"
    settings = config("fnn/mlp", "trainer.max_epochs=3", "data=csv", "data.target=y", "folds=2")
    settings["data"]["path"] = str(next((tmp_path / "whole" / "data").iterdir()))
    with pytest.raises(InterruptedTraining):
        zoo.train(settings, parts, callbacks=[Interrupt()])
    first = (parts / "fold=0" / "metrics.json").read_bytes()
    zoo.train(run_dir=parts)
    assert (parts / "fold=0" / "metrics.json").read_bytes() == first  # not trained again
    assert (parts / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
