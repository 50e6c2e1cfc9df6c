"""Leakage: duplicates across splits, statistics of validation and test splits, and reads of the test split."""

import dataclasses
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import folder_of
from helpers.sequence_files import as_npz, curves
from helpers.trainings import SHORT
from lightning.pytorch.callbacks import Callback
from torch.utils.data import Dataset

import zoo
from zoo import training
from zoo.data.hashing import input_hashes_in_memory
from zoo.data.leakage import report_duplicate_hashes
from zoo.data.module import load_section
from zoo.data.splits import TensorSplit
from zoo.engine.initial_module import initial_module
from zoo.settings.training_config import TrainingConfig

DUPLICATES = "duplicates across splits: {} samples of val and {} of test"


# Duplicates across splits


def table(path, copies):
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=60), "b": list("xyz") * 20, "c": [0, 1] * 30})
    frame.to_csv(path / "train.csv", index=False)
    test = frame[:20] if copies else frame[:20] + frame[20:40].to_numpy()
    test.assign(c=frame["c"]).to_csv(path / "test.csv", index=False)
    return zoo.load_data("csv", path=str(path / "train.csv"), test_path=str(path / "test.csv"), target="c")


def sequences(path, copies):
    (values, labels), (others, _) = curves(), curves(seed=1)
    for name, some in (("train", values), ("test", [*values[:20], *others[20:]] if copies else others)):
        as_npz(path / f"{name}.npz", some, labels)
    return zoo.load_data("sequences", path=str(path / "train.npz"), test_path=str(path / "test.npz"))


def images(path, copies):
    folder_of(path / "train")
    for picture in folder_of(path / "test", 5).rglob("*.png"):  # those of train
        picture.write_bytes(picture.read_bytes() + (b"" if copies else b"changed"))
    return zoo.load_data("imagefolder", path=str(path))


@pytest.mark.parametrize(("load", "n"), [(table, 20), (sequences, 20), (images, 15)])
@pytest.mark.parametrize("copies", [False, True])
def test_duplicates_across_splits_are_reported(tmp_path, monkeypatch, capsys, load, n, copies):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    load(tmp_path, copies)
    assert (DUPLICATES.format(0, n) in capsys.readouterr().out) == copies


def test_a_duplicate_has_equal_inputs_whatever_its_target(capsys):
    kept = {"numeric": torch.arange(6.0).view(3, 2), "categorical": torch.arange(3)[:, None], "target": torch.arange(3)}
    split = TensorSplit(**kept)
    again = TensorSplit(**{**kept, "target": 1 - kept["target"]})
    other = TensorSplit(**{**kept, "categorical": torch.tensor([[0], [2], [1]])})
    report_duplicate_hashes(*map(input_hashes_in_memory, (split, other, again)))
    assert DUPLICATES.format(1, 3) in capsys.readouterr().out


# Statistics


@pytest.mark.parametrize("family", SHORT)
def test_the_initial_model_and_its_statistics_come_from_the_training_split_alone(config, family):
    settings = TrainingConfig.of(config(*SHORT[family]))
    splits = load_section(settings.data)
    one = initial_module(settings, splits).state_dict()
    blind = dataclasses.replace(splits, val=None, test=None)
    two = initial_module(settings, blind).state_dict()
    assert any("preprocess" in name for name in one)
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_the_spec_and_statistics_of_a_table_come_from_its_training_rows_alone(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"when": range(60), "a": random.normal(size=60), "b": list("xyz") * 20, "c": [0, 1] * 30})
    found = []
    for b, a in (("x", 0.0), ("never seen", 1e9)):
        frame.loc[36:, ["a", "b"]] = [a, b]
        frame.to_csv(tmp_path / "own.csv", index=False)
        splits = zoo.load_data("csv", path=str(tmp_path / "own.csv"), target="c", time="when", cache=False)
        assert len(splits.train) == 36
        model = zoo.create_model("fnn/mlp", splits.spec)
        model.preprocess.fit([splits.train.columns])
        found.append((splits.spec.to_json(), model.preprocess.state_dict()))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(value, found[1][1][name]) for name, value in found[0][1].items())


# The test split


class Counted(Dataset):
    """A split that counts how often each sample is read."""

    def __init__(self, split):
        self.split, self.reads = split, Counter()

    def __len__(self):
        return len(self.split)

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.split[index]

    def __getitems__(self, index):
        self.reads.update(map(int, index))
        return self.split.__getitems__(index)


@pytest.mark.parametrize("family", SHORT)
def test_the_test_split_is_read_once_after_the_fit(config, tmp_path, monkeypatch, family):
    settings = config(*SHORT[family], "trainer.max_epochs=2")
    splits = load_section(settings["data"])
    counted = dataclasses.replace(splits, test=Counted(splits.test))
    monkeypatch.setattr("zoo.engine.load_splits.load_section", lambda _: counted)
    monkeypatch.setattr(training, "write_report", lambda *_: None)  # which draws some samples again

    class NoReads(Callback):
        def on_validation_end(self, trainer, module):
            assert not counted.test.reads

        def on_fit_end(self, trainer, module):
            assert not counted.test.reads

    training.train(settings, tmp_path / "run", callbacks=[NoReads()])
    assert counted.test.reads - Counter([0]) == Counter(range(len(splits.test)))  # the first also tells the size
