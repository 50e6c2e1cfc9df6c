"""For every data set a short training of its family's default model beats a constant baseline."""

from dataclasses import replace

import pytest
import torch
from helpers.datasets import ready_data

import zoo
import zoo.training
from zoo.core.spec import IGNORE_INDEX
from zoo.data.module import load_section
from zoo.tasks import create_task

N_TRAIN, N_TEST, N_STEPS = 3000, 500, 80
LONGER = {"surnames": 300}  # steps; the first ones learn only the most frequent class
CHEAPER = {
    "smnist": ["data.batch_size=16", "model.width=32"],
    "psmnist": ["data.batch_size=16", "model.width=32"],
    "ucr": ["data.name=ItalyPowerDemand"],
}


def baseline_score(splits):
    """Return the score of predicting the most frequent class or characters, the mean, or the last value."""
    spec, target = splits.spec, splits.test.columns["target"]
    train = splits.train.columns["target"]
    if spec.task == "classification":
        return (target == train.mode().values).float().mean()
    if spec.task == "regression":
        return (target - train.mean(0)).square().mean().sqrt()
    if spec.task == "forecasting":
        scale = zoo.create_model("rnn/elman", spec).preprocess
        scale.fit(splits.train.each_value_once())
        last = splits.test.columns["sequence"][:, -1:].expand_as(target)
        return (scale.scale_target(last) - scale.scale_target(target)).square().mean()
    shares = torch.bincount(train[train != IGNORE_INDEX], minlength=spec.n_outputs) + 1
    return -(shares / shares.sum()).log()[target[target != IGNORE_INDEX]].mean()


def family_of(spec):
    """Return the family whose default model takes the data."""
    fitting = zoo.list_models(spec=spec)
    return next(name.split("/")[0] for name in ("fnn/mlp", "cnn/small", "rnn/lstm") if name in fitting)


def shortened(split, n):
    """About `n` samples, evenly spaced; a text keeps its order."""
    step = max(len(split) // n, 1)
    return split.subset(range(0, len(split), step)) if step > 1 else split


LARGE = ("adult", "etth1", "fsdd", "psmnist", "shakespeare", "smnist")
NAMES = [
    pytest.param(*each.values, marks=[*each.marks, *[pytest.mark.long] * (each.values[0] in LARGE)])
    for each in ready_data()
]


@pytest.mark.parametrize("name", NAMES)
def test_a_short_training_beats_the_baseline(name, config, tmp_path, monkeypatch):
    section = config("model=fnn/mlp", f"data={name}", *CHEAPER.get(name, []))["data"]
    whole = load_section(section)
    splits = replace(whole, val=shortened(whole.val, 200), test=shortened(whole.test, N_TEST))
    if whole.spec.task != "forecasting":  # whose windows overlap
        splits = replace(splits, train=shortened(whole.train, N_TRAIN))
    family = family_of(splits.spec)
    n_steps = LONGER.get(name, N_STEPS)
    n_batches = min(-(-len(splits.train) // 32), 40)
    settings = [
        "data.batch_size=32",
        f"trainer.limit_train_batches={n_batches}",
        f"trainer.max_epochs={n_steps // n_batches}",
        "trainer.precision=32-true",
    ]
    monkeypatch.setattr("zoo.engine.load_splits.load_section", lambda _: splits)
    metrics = zoo.train(config(f"model={family}", f"data={name}", *settings, *CHEAPER.get(name, [])), tmp_path / "run")
    task, plain = create_task(splits.spec), float(baseline_score(splits))
    score = metrics["test"][task.score]
    assert score > plain if task.score_mode == "max" else score < plain, f"{score} against {plain}"
