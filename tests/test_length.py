"""How long a training lasts: until validation stops improving, within a budget, with a rate that falls at its end."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from soaking.kills import differences
from test_tricks import Stop

import zoo
from zoo.core.checkpoint_file import newest
from zoo.core.durations import parse_duration
from zoo.core.errors import InterruptedTraining, UserError
from zoo.core.spec import DataSpec
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.early_stopping import EarlyStopping
from zoo.engine.history import History
from zoo.engine.resources import fill_auto
from zoo.optim.schedules import Progress, create_schedule
from zoo.settings.training_config import TrainingConfig

OWN = ("model=fnn/mlp", "data=csv", "data.path=own.csv")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A small table of one's own, to which a network soon overfits."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    frame["y"] = frame["a"] + rng.normal(0, 1, 120)
    path = tmp_path_factory.mktemp("length") / "own.csv"
    frame.to_csv(path, index=False)
    return ("model=fnn/mlp", "data=csv", f"data.path={path}", "data.target=y", "trainer=cpu", "optim.weight_decay=0")


@pytest.fixture(scope="module")
def whole(config, table, tmp_path_factory):
    """A training that stops when validation no longer improves."""
    folder = tmp_path_factory.mktemp("length") / "whole"
    zoo.train(config(*table, "trainer.patience=4"), folder)
    return folder


def rows_of(folder):
    return list(csv.DictReader((folder / "metrics.csv").open()))


def test_own_data_train_until_validation_stops_improving(whole):
    """The best epoch is kept, and the rate falls to 0 in the last quarter, whose begin was not known before."""
    metrics, rows = json.loads((whole / "metrics.json").read_text()), rows_of(whole)
    losses, rates = ([float(row[name]) for row in rows] for name in ("val/loss", "lr"))
    assert metrics["stopped"] == "validation"
    assert metrics["epoch"] == 1 + losses.index(min(losses))
    begin = next(n for n in range(len(losses)) if n - losses.index(min(losses[: n + 1])) == 4) + 1
    assert rates[:begin] == [rates[0]] * begin
    assert len(rates) == begin + -(-begin // 3) and rates[-1] == 0
    assert rates[begin - 1 :] == sorted(rates[begin - 1 :], reverse=True)


def test_the_config_of_a_run_holds_what_auto_chose(whole):
    config = yaml.safe_load((whole / "config.yaml").read_text())
    assert (config["data"]["batch_size"], config["data"]["epochs"], config["budget"]) == (16, 1000, "3min")
    trainer = {key: config["trainer"][key] for key in ("max_epochs", "patience", "keep", "precision", "threads")}
    assert trainer == {"max_epochs": 1000, "patience": 4, "keep": "best", "precision": "32", "threads": 1}
    assert config["optim"]["schedule"]["name"] == "trapezoidal"


def test_a_resumed_training_keeps_to_the_end_that_was_chosen(config, table, whole, tmp_path, monkeypatch):
    """Interrupted as the cooldown begins, it continues bit by bit; "auto" keeps the numbers of its start."""
    rows = rows_of(whole)
    last = [row for row in rows if row["lr"] == rows[0]["lr"]][-1]
    Stop(monkeypatch, int(last["step"]))
    settings = config(*table, "trainer.patience=4", "resume=auto")
    with pytest.raises(InterruptedTraining):
        zoo.train(settings, tmp_path / "run")
    saved = SafeCheckpointIO().load_checkpoint(newest(tmp_path / "run" / "checkpoints"))
    assert saved["callbacks"]["EarlyStopping"]["end"]
    zoo.train(settings, tmp_path / "run")
    assert not {"model.safetensors", "metrics.csv", "metrics.json"} & {*differences(whole, tmp_path / "run")}


def test_a_budget_ends_a_training_and_its_rate_falls_before(config, tmp_path, capsys):
    zoo.train(
        config("model=fnn/mlp", "trainer=cpu", "trainer.max_epochs=5000", "optim.schedule.name=constant", "budget=1s"),
        tmp_path,
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["stopped"] == "budget" and metrics["seconds"]["fit"] < 2
    assert "at most 1 s (budget=10min for more)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (OWN, ("trapezoidal", 1000, 50, "best", "3min")),
        ((*OWN, "trainer.max_epochs=5"), ("one_cycle", 5, None, "best", None)),
        ((*OWN, "trainer.patience=null"), ("one_cycle", 100, None, "best", None)),
        ((*OWN, "trainer.patience=7", "budget=2min", "trainer.keep=last"), ("trapezoidal", 1000, 7, "last", "2min")),
        (("model=fnn/mlp", "data=wine"), ("one_cycle", 60, None, "best", None)),
        (("model=cnn", "data=mnist5k"), ("one_cycle", 48, None, "last", None)),
        (("model=cnn", "data=mnist5k", "trainer.patience=5"), ("one_cycle", 48, 5, "best", None)),
    ],
)
def test_only_data_without_a_recipe_train_for_an_open_length(config, settings, expected):
    filled = fill_auto(TrainingConfig.of(config(*settings)), 80, DataSpec("made", "regression", {}, 1))
    trainer = filled.trainer
    chosen = (
        filled.optim["schedule"]["name"],
        trainer["max_epochs"],
        trainer["patience"],
        trainer["keep"],
        filled.budget,
    )
    assert chosen == expected


def test_a_schedule_that_ends_early_runs_through_its_last_quarter():
    progress = Progress(1000)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    factor = create_schedule(optimizer, progress, name="trapezoidal", warmup=0.0).lr_lambdas[0]
    assert factor(99) == 1
    progress.end_early(100, 140)
    assert 0.9 < factor(100) < 1
    assert factor(119) == pytest.approx(0.5, abs=0.02)
    assert 0 < factor(139) < 0.05 and factor(150) == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2min", 120), ("1h30m", 5400), ("00:02:00", 120), ("1.5 hours", 5400), ("2 minutes 5 seconds", 125)],
)
def test_a_budget_is_a_time_in_words(text, seconds):
    assert parse_duration("budget", text) == seconds


@pytest.mark.parametrize("text", ["5", 90, "soon", "-2min", "0s", "100ms", "1h30", ""])
def test_a_budget_without_a_unit_is_refused_with_the_forms_there_are(text):
    with pytest.raises(
        UserError, match=r"budget is a time above 0 with its unit, such as 90s, 2min, 1h30m or 00:02:00"
    ):
        parse_duration("budget", text)


def test_tiny_improvements_do_not_keep_a_training_going(tmp_path):
    """Those of a cross entropy near 0, of standardised errors, and of densities, whose loss may be negative."""

    def last_that_counts(losses):
        endings = [EarlyStopping(History(tmp_path / "metrics.csv"), 50, budget=None, best=tmp_path) for _ in range(2)]
        for epoch, loss in enumerate(losses, 1):
            ending, before = endings[epoch % 2], endings[epoch % 2 - 1]
            ending.load_state_dict(before.state_dict())  # resumed after each epoch
            ending.see(epoch, loss)
        return ending.best_epoch

    assert last_that_counts([1.4, 0.1, 3e-5, *(3e-5 - 1e-8 * n for n in range(900))]) == 3
    assert last_that_counts([1.0, 0.5, *(0.5 - 1e-6 * n for n in range(50))]) == 2
    assert last_that_counts([1.0 - 0.001 * n for n in range(900)]) >= 899
    assert last_that_counts([0.0, *(-1e-4 * n for n in range(300))]) >= 300  # a first loss of 0 is no scale
    assert last_that_counts([2.0 - 0.01 * n for n in range(900)]) == 900
    assert last_that_counts([5e7, *(0.9 - 0.001 * n for n in range(500))]) >= 500  # a first loss far off
    assert last_that_counts([float("nan"), float("inf"), 0.7, 0.6]) == 4
    # many small steps add up
    assert last_that_counts([1.0, *(0.5 - 2e-4 * n for n in range(300))]) >= 298
