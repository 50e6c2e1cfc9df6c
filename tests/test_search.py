"""Search over settings: ranges and values, trials that fail or are pruned, a resume after a kill."""

import csv
import io

import pytest
from helpers.commands import in_this_process

import zoo
from zoo.core.errors import UserError
from zoo.search.space import Choice, Range, combinations, default_params, divide, n_combinations, usual_space

optuna = pytest.importorskip("optuna")

from zoo.search.study import Search, _open_study, run_search  # noqa: E402
from zoo.search.summary import summarise  # noqa: E402
from zoo.search.trial import Log, Pruned, run_trial  # noqa: E402

SHORT = ["trainer.max_epochs=1", "trainer.limit_train_batches=4"]


def test_ranges_and_values_are_told_from_settings():
    words = ["optim.lr=1e-4..1e-1", "model.width=log(8, 64)", "model.dropout=0..0.5", "model.activation=relu,gelu"]
    settings, space = divide(["model=fnn/mlp", *words, "seed=3"])
    assert settings == ["model=fnn/mlp", "seed=3"]
    assert space == [
        Range("optim.lr", 1e-4, 0.1, log=True, whole=False),
        Range("model.width", 8, 64, log=True, whole=True),
        Range("model.dropout", 0, 0.5, log=False, whole=False),
        Choice("model.activation", ("relu", "gelu")),
    ]
    assert n_combinations(space) == float("inf") and n_combinations(space[3:] * 2) == 4
    assert combinations(space[3:]) == [{"model.activation": "relu"}, {"model.activation": "gelu"}]


@pytest.mark.parametrize(
    ("word", "message"),
    {
        "optim.lr=log(0,1)": "a range goes from a lower to a higher number, both above 0",
        "optim.lr=1..e": "the limits of a range are numbers",
        "task.label_smoothing=0,0.1": "changes the meaning of",
        "seed=0,1": "leaves to chance",
    }.items(),
)
def test_what_cannot_be_searched_is_refused(word, message):
    with pytest.raises(UserError, match=message):
        divide(["model=fnn/mlp", word])


@pytest.mark.parametrize("name", [*zoo.list_models("fnn/*"), "cnn/resnet", "rnn/gru"])
def test_a_search_that_names_nothing_varies_settings_that_the_model_has(name):
    config = zoo.config(name)
    settings, space = divide(usual_space(config))
    assert settings == [] and space[0].key == "optim.lr"
    assert set(default_params(space, config)) == {varied.key for varied in space}  # where it begins


def test_a_search_goes_on_after_a_failed_trial_and_names_the_best_by_validation(tmp_path, monkeypatch, capsys):
    words = ["fnn/mlp", "optim=sgd", "optim.lr=0.1,1e-9,1e30", f"run_dir={tmp_path / 'search'}", *SHORT]
    assert in_this_process("search", words, monkeypatch) == 0
    out = capsys.readouterr().out
    assert "trial 3/3  failed: " in out and "nan" in out  # three values are three trials, not twenty
    assert "best by validation: optim.lr=0.1, val loss " in out
    assert f"its test metrics: zoo evaluate {tmp_path / 'search' / '000'}" in out
    assert "what mattered: optim.lr 100%" in out and "f1" not in out
    rows = list(csv.DictReader((tmp_path / "search" / "trials.csv").open()))
    assert [(row["optim.lr"], row["state"]) for row in rows] == [
        ("0.1", "finished"), ("1e-09", "finished"), ("1e+30", "failed"),
    ]  # fmt: skip
    assert (tmp_path / "search" / "search.png").read_bytes().startswith(b"\x89PNG")
    assert in_this_process("search", words, monkeypatch) == 0
    assert "trial " not in capsys.readouterr().out.partition("the best of")[0].partition("\n")[2]
    assert in_this_process("search", [*words, "model.width=8"], monkeypatch) == 2
    assert "holds a search of other settings" in capsys.readouterr().err


def test_a_trial_that_a_kill_ended_is_resumed_in_its_folder(tmp_path):
    settings, space = divide(["model=fnn/mlp", "optim.lr=log(1e-3,1e-1)", *SHORT])
    search = Search(settings, space, tmp_path, n_trials=1)
    killed = _open_study(search).ask()
    assert killed.user_attrs == {"defaults": True}
    words = [varied.suggest(killed) for varied in space]
    study = run_search(search)
    states = [trial.state.name for trial in study.trials]
    assert states == ["FAIL", "COMPLETE"] and study.trials[1].params == killed.params
    assert "\nwith the defaults: val loss " in summarise(search, study, None)
    assert {path.parent.name for path in tmp_path.glob("*/metrics.json")} == {"000"}
    assert f"lr: {words[0].partition('=')[2]}" in (tmp_path / "000" / "config.yaml").read_text()


def test_a_trial_may_be_pruned_after_any_epoch(tmp_path):
    with pytest.raises(Pruned, match="pruned after epoch 2"):
        run_trial(["fnn/mlp", "trainer.max_epochs=9", SHORT[1]], tmp_path, lambda loss, epoch: loss > 0 and epoch == 2)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 3
    assert "epoch 1/9" in (tmp_path / "log.txt").read_text()


def test_what_is_reported_of_the_data_is_shown_and_the_training_logged():
    file, shown = io.StringIO(), io.StringIO()
    print("ignored, constant: 'a'", file=(log := Log(file, shown)))
    print("training fnn/mlp\nepoch 1/9", file=log)
    assert shown.getvalue() == "ignored, constant: 'a'\n"
    assert file.getvalue().splitlines() == ["ignored, constant: 'a'", "training fnn/mlp", "epoch 1/9"]
