"""Fault 25: fingerprints detect data that changed after a training, and training samples are never measured."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import folder_of
from helpers.sequence_files import as_npz, curves

import zoo
from zoo.core.errors import UserError
from zoo.core.run_folder import Run
from zoo.data.fingerprints import fingerprints, sample_hashes, split_hashes
from zoo.data.hashing import hash_rows
from zoo.data.leakage import without_seen
from zoo.data.splits import TensorSplit
from zoo.inference.evaluation import evaluate_weights

N = 200


def table(path: Path, n: int = N, seed: int = 0) -> Path:
    """Write pure noise, so that only leakage helps."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(n, 4)), columns=list("abcd")).round(6)
    frame.assign(y=random.integers(0, 2, n)).to_csv(path, index=False)
    return path


def append(path: Path, n: int = 3) -> None:
    more = pd.read_csv(table(path.with_name("more.csv"), n, seed=1))
    pd.concat([pd.read_csv(path), more]).to_csv(path, index=False)


@pytest.fixture
def settings(config, tmp_path):
    """A short training on a table in a folder of its own."""
    (tmp_path / "data").mkdir()
    path = table(tmp_path / "data" / "train.csv")
    return config(
        "model=fnn/mlp", "data=csv", f"data.path={path}", "data.target=y", "trainer=cpu", "trainer.max_epochs=2"
    )


# Hashes of samples


def test_hashes_are_the_same_on_every_machine_and_for_every_padding():
    rows = np.array([[1.5, 0.0], [2.5, -1.0]], np.float32)
    assert [f"{key:x}" for key in hash_rows(rows)] == [f"{key:x}" for key in hash_rows(rows.astype(">f4"))]
    assert f"{hash_rows(rows)[1]:016x}" == "076a4f83044474f6"
    padded = np.pad(rows, ((0, 0), (0, 3)))
    assert (hash_rows(padded) == hash_rows(rows)).all()


def test_a_fingerprint_depends_on_inputs_and_targets_but_not_on_their_order():
    inputs, target = torch.arange(12.0).view(6, 2), torch.arange(6) % 2
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    one, other, edited = (
        {"train": sample_hashes(TensorSplit(numeric=values, target=labels))}
        for values, labels in ((inputs, target), (inputs[order], target[order]), (inputs, 1 - target))
    )
    assert fingerprints(one) == fingerprints(other) != fingerprints(edited)


def test_a_table_has_the_same_hashes_in_memory_and_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    path = table(tmp_path / "train.csv")
    pd.read_csv(path).assign(e=list("xyzx") * (N // 4)).to_csv(path, index=False)
    found = []
    for cache, large in ((False, 1 << 30), (True, 1 << 30), (True, 0)):
        monkeypatch.setattr("zoo.data.stored.IN_MEMORY", large)
        found.append(fingerprints(split_hashes(zoo.load_data("csv", path=str(path), target="y", cache=cache))))
    assert found[0] == found[1] == found[2]


def test_images_have_the_hashes_of_their_files_however_they_are_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = folder_of(tmp_path / "a")
    found = [
        fingerprints(split_hashes(zoo.load_data("imagefolder", path=str(folder), cache=cache)))
        for cache in ("auto", True, False)
    ]
    assert found[0] == found[1] == found[2]
    picture = next(folder.rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"edited in place")
    assert fingerprints(split_hashes(zoo.load_data("imagefolder", path=str(folder)))) != found[0]


def test_recordings_have_the_hashes_of_their_files(tmp_path, monkeypatch):
    """Spectrograms have no stable hashes, as their last bits differ from machine to machine."""
    import soundfile

    random = np.random.default_rng(0)
    for number in range(20):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        soundfile.write(tmp_path / "ab"[number % 2] / f"{number}.wav", random.normal(0, 0.1, 2000), 8000)
    one = fingerprints(split_hashes(zoo.load_data("sequences", path=str(tmp_path))))
    monkeypatch.setattr("zoo.data.sequences.files.recordings.log_mel", lambda *_, **__: torch.ones(9, 40))
    assert fingerprints(split_hashes(zoo.load_data("sequences", path=str(tmp_path)))) == one
    soundfile.write(tmp_path / "a" / "0.wav", random.normal(0, 0.1, 2000), 8000)
    assert fingerprints(split_hashes(zoo.load_data("sequences", path=str(tmp_path)))) != one


def test_a_longer_sequence_does_not_change_the_hashes_of_others(tmp_path):
    values, labels = curves()
    splits = []
    for name, more in (("a", []), ("b", [np.ones((99, values[0].shape[1]), np.float32)])):
        as_npz(tmp_path / f"{name}.npz", [*values, *more], [*labels, *labels[: len(more)]])
        splits.append(zoo.load_data("sequences", path=str(tmp_path / f"{name}.npz")))
    first, second = (np.concatenate(list(split_hashes(split).values())) for split in splits)
    assert set(first.tolist()) < set(second.tolist()) and len(second) == len(first) + 1


def test_a_window_that_overlaps_a_seen_one_is_left_out(tmp_path):
    pd.DataFrame({"a": np.random.default_rng(0).normal(size=400)}).to_csv(tmp_path / "a.csv", index=False)
    test = zoo.load_data("series", path=str(tmp_path / "a.csv"), look_back=5, horizon=3).test
    keys = sample_hashes(test)
    assert keys is not None and len(without_seen(test, keys[10:11])) == len(test) - 15
    assert len(without_seen(test, keys[:1])) == len(test) - 8


# Evaluation


@pytest.mark.parametrize("edit", ["append", "drop", "edit"])
def test_fault_25_rows_seen_in_training_are_not_measured(settings, tmp_path, capsys, edit):
    """After rows were added, removed or edited, an evaluation measures only rows that the training has not seen."""
    path = Path(settings["data"]["path"])
    zoo.train(settings, tmp_path / "run")
    known = sample_hashes(zoo.load_data("csv", path=str(path), target="y").train)
    frame = pd.read_csv(path)
    if edit == "append":
        append(path)
    else:
        (frame[7:] if edit == "drop" else frame.assign(a=frame["a"] * (frame.index > 20))).to_csv(path, index=False)
    now = sample_hashes(zoo.load_data("csv", path=str(path), target="y").test)
    assert known is not None and now is not None
    n = int(np.isin(now, known).sum())
    capsys.readouterr()
    evaluate_weights(tmp_path / "run")
    out = capsys.readouterr().out
    assert "train.csv is not what" in out
    assert (n > 0) == (edit != "edit")  # which moves no row
    assert (f" of {len(now)} samples" in out) == (n > 0)


def test_fault_25_a_file_alone_is_not_measured_on_data_it_may_have_seen(settings, tmp_path):
    """A weights file without its run folder refuses changed data, and the message says what to do."""
    path = Path(settings["data"]["path"])
    metrics = zoo.train(settings, tmp_path / "run")
    alone = shutil.copy(tmp_path / "run" / "model.safetensors", path.with_name("alone.safetensors"))
    with pytest.raises(UserError, match=r"was trained on train\.csv, which does not exist; .*data=csv data\.path="):
        evaluate_weights(alone)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        assert evaluate_weights(alone)["test"] == metrics["test"]
        append(path)
        with pytest.raises(UserError, match=r"train\.csv is not what .* test had 40 and has 41"):
            evaluate_weights(alone)
        assert evaluate_weights(alone, split="train")["train"]


def test_fault_25_rows_that_change_column_types_are_refused(settings, tmp_path):
    """Rows that change the type of a column are refused in two lines that say what to do."""
    path = Path(settings["data"]["path"])
    pd.read_csv(path).assign(e=list("xyzx") * (N // 4)).to_csv(path, index=False)
    zoo.train(settings, tmp_path / "run")
    frame = pd.read_csv(path)
    pd.concat([frame, frame[:60].assign(a=9.5, e="w")]).to_csv(path, index=False)
    with pytest.raises(UserError, match=r"train\.csv is not what .*\n.*data=csv"):
        evaluate_weights(tmp_path / "run")
    assert evaluate_weights(tmp_path / "run", data=settings["data"])["test"]


def test_fault_25_steps_added_to_a_series_are_measured(config, tmp_path, capsys):
    """Only the new end of a longer series is measured; a series whose test steps were in the training is refused."""
    path, values = tmp_path / "power.csv", np.random.default_rng(0).normal(size=700)
    pd.DataFrame({"a": values[:600]}).to_csv(path, index=False)
    settings = config("model=rnn/lstm", "data=series", f"data.path={path}", "data.look_back=8", "data.horizon=4")
    settings["model"]["width"], settings["trainer"]["max_epochs"] = 8, 1
    zoo.train(settings, tmp_path / "run")
    assert str(tmp_path) not in json.dumps(zoo.load(tmp_path / "run").card)
    pd.DataFrame({"a": values}).to_csv(path, index=False)
    evaluate_weights(tmp_path / "run")
    assert "power.csv is not what" in capsys.readouterr().out
    pd.DataFrame({"a": values[:300]}).to_csv(path, index=False)
    with pytest.raises(UserError, match="were seen in training"):
        evaluate_weights(tmp_path / "run")


def test_another_programs_config_beside_a_file_is_not_a_run_folder(runs, tmp_path):
    shutil.copy(runs["fnn"] / "model.safetensors", tmp_path)
    (tmp_path / "config.yaml").write_text("a: &a 1\nb: *a\n")
    assert evaluate_weights(tmp_path / "model.safetensors")["test"]


def test_fault_25_images_added_since_are_measured(config, tmp_path, monkeypatch, capsys):
    """After images were added, an evaluation measures the images that the training has not seen."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = folder_of(tmp_path / "pictures", 12)
    settings = ("model=cnn", "data=imagefolder", f"data.path={folder}", "data.size=28", "data.channels=3")
    zoo.train(config(*settings, "trainer=cpu", "trainer.max_epochs=1"), tmp_path / "run")
    picture = next(folder.rglob("*.png"))
    picture.with_name("0new.png").write_bytes(picture.read_bytes() + b"more")
    capsys.readouterr()
    evaluate_weights(tmp_path / "run")
    assert "pictures is not what" in capsys.readouterr().out


def test_fault_25_training_rows_in_another_file_are_counted(settings, tmp_path, capsys):
    """All rows of another file are measured, and the number of training rows among them is reported."""
    zoo.train(settings, tmp_path / "run")
    append(Path(settings["data"]["path"]))
    measured = evaluate_weights(tmp_path / "run", data=settings["data"])
    assert measured["test"] and "was trained on 160 of the 203 samples" in capsys.readouterr().out


def test_unchanged_data_are_measured_completely_from_any_folder(settings, tmp_path, monkeypatch):
    """This holds even if samples of the test split are duplicates of training samples."""
    path = Path(settings["data"]["path"])
    pd.concat([pd.read_csv(path)] * 2).to_csv(path, index=False)
    monkeypatch.chdir(path.parent)
    metrics = zoo.train({**settings, "data": {**settings["data"], "path": "train.csv"}}, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert evaluate_weights("run")["test"] == metrics["test"]


# Resume


def test_fault_25_a_resume_refuses_changed_data(settings, tmp_path, capsys):
    """resume=auto refuses changed data; resume=changed continues, selects the best epoch again, and excludes
    training samples from validation and test.
    """
    run = Run(tmp_path / "run")
    zoo.train(settings, run.folder)
    run.metrics.unlink()
    path = Path(settings["data"]["path"])
    append(path)
    with pytest.raises(UserError, match=r"train\.csv is not what .* train had 120 and has 121.*\n.*=changed"):
        zoo.train({**settings, "resume": "auto"}, run.folder)
    settings["trainer"]["max_epochs"] = 3
    (run.checkpoints / "best.ckpt").write_bytes(b"a best epoch of the old data")
    metrics = zoo.train({**settings, "resume": "changed"}, run.folder)
    assert metrics["epoch"] == 3
    assert "left out of the test split" in capsys.readouterr().out
    assert evaluate_weights(run.folder)["test"] == metrics["test"]
    run.metrics.unlink()
    again = zoo.train({**settings, "resume": "auto"}, run.folder)
    assert again["test"] == metrics["test"]


def test_a_resume_on_changed_data_without_an_epoch_left_measures_unseen_samples(settings, tmp_path, capsys):
    run = Run(tmp_path / "run")
    zoo.train(settings, run.folder)
    run.metrics.unlink()
    append(Path(settings["data"]["path"]))
    metrics = zoo.train({**settings, "resume": "changed"}, run.folder)
    assert metrics["epoch"] == 2 and not (run.checkpoints / "best.ckpt").exists()
    assert "left out of the test split" in capsys.readouterr().out


def test_a_changed_text_is_refused_as_its_windows_have_no_hashes(config, tmp_path):
    path = tmp_path / "rhymes.txt"
    path.write_text("one two three four five, once I caught a fish alive.\n" * 60)
    settings = config(
        "model=rnn/lstm", "data=text", f"data.path={path}", "data.n_steps=16", "trainer=cpu", "model.width=8"
    )
    settings["trainer"]["max_epochs"] = 1
    zoo.train(settings, tmp_path / "run")
    path.write_text(path.read_text() + "six seven eight nine ten, then I let it go again.\n" * 9)
    with pytest.raises(UserError, match=r"rhymes\.txt is not what|it is unknown"):
        evaluate_weights(tmp_path / "run")


def test_several_seeds_are_measured_on_samples_that_none_has_seen(config, settings, tmp_path, capsys):
    zoo.train_seeds({**settings, "seeds": [0, 1]}, tmp_path / "runs")
    append(Path(settings["data"]["path"]))
    evaluate_weights(tmp_path / "runs" / "seed=1")
    assert "left out of the test split" in capsys.readouterr().out


def test_an_ensemble_of_runs_knows_where_their_data_are(settings, tmp_path):
    for seed in (0, 1):
        zoo.train({**settings, "seed": seed}, tmp_path / str(seed))
    weights = [tmp_path / str(seed) / "model.safetensors" for seed in (0, 1)]
    from zoo.inference.ensembling import ensemble

    assert ensemble(weights, tmp_path / "both.safetensors")["fingerprints"]
    append(Path(settings["data"]["path"]))
    zoo.train({**settings, "seed": 2}, tmp_path / "2")
    with pytest.raises(UserError, match="other data"):
        ensemble([*weights, tmp_path / "2" / "model.safetensors"], tmp_path / "three.safetensors")


def test_finetuning_reports_samples_that_the_first_run_has_seen(settings, tmp_path, capsys):
    zoo.train(settings, tmp_path / "run")
    settings["data"]["split_seed"] = 1
    zoo.train({**settings, "finetune": str(tmp_path / "run")}, tmp_path / "again")
    assert "samples measured here" in capsys.readouterr().out


# Invalid cards


@pytest.mark.parametrize(
    "config_of_card",
    [None, {}, {"data": None}, {"data": {"path": "x"}}, {"data": {"name": 3}}, {"data": {"name": "wine", "fold": "x"}}],
)
def test_fault_07_a_strange_card_ends_in_one_message(runs, tmp_path, config_of_card):
    """A card with missing or invalid entries ends an evaluation in one message."""
    from zoo.inference.weights_file import load_weights, save_weights

    model, _, card = load_weights(runs["fnn"] / "model.safetensors")
    save_weights(tmp_path / "odd.safetensors", model, {**card, "config": config_of_card})
    with pytest.raises(UserError) as caught:
        evaluate_weights(tmp_path / "odd.safetensors")
    assert len(str(caught.value).splitlines()) <= 2
    assert evaluate_weights(tmp_path / "odd.safetensors", data={"name": "breast_cancer"})["test"]


@pytest.mark.parametrize("strange", [None, 3, [], {"test": 3}, {"test": {}}, {"other": {"n": 1}}])
def test_strange_fingerprints_end_in_one_message_or_in_none(runs, tmp_path, strange):
    from zoo.inference.weights_file import load_weights, save_weights

    model, _, card = load_weights(runs["fnn"] / "model.safetensors")
    save_weights(tmp_path / "odd.safetensors", model, {**card, "fingerprints": strange})
    if isinstance(strange, dict) and "test" in strange:
        with pytest.raises(UserError, match="breast_cancer is not what"):
            evaluate_weights(tmp_path / "odd.safetensors")
    else:
        assert evaluate_weights(tmp_path / "odd.safetensors")["test"]


def test_fault_32_released_files_hold_no_paths(settings, tmp_path):
    """A weights file and a report name files and folders without their parent folders."""
    private = tmp_path / "home" / "jane"
    shutil.copytree(Path(settings["data"]["path"]).parent, private)
    settings["data"]["path"] = str(private / "train.csv")
    zoo.train(settings, tmp_path / "first")
    zoo.train({**settings, "finetune": str(tmp_path / "first")}, tmp_path / "run")
    card = zoo.load(tmp_path / "run").card
    assert str(tmp_path) not in json.dumps(card)
    assert (card["config"]["data"]["path"], card["config"]["finetune"]) == ("train.csv", "first")
    assert str(tmp_path) not in (tmp_path / "run" / "report.html").read_text()
    assert Run(tmp_path / "run").read_config()["data"]["path"] == str(private / "train.csv")
    assert dataclasses.asdict(zoo.load(tmp_path / "run").spec)["name"] == "train"


def test_somebody_elses_config_runs_no_code(config, tmp_path):
    (tmp_path / "models" / "fnn").mkdir(parents=True)
    (tmp_path / "models" / "fnn" / "theirs.py").write_text("raise SystemExit('ran')")
    settings = config("model=fnn/mlp") | {"zoo_path": str(tmp_path), "model": {"name": "fnn/theirs"}}
    with pytest.raises(UserError, match=r"zoo\.add_path\("):
        zoo.train(settings, tmp_path / "run")


def test_fault_25_a_resume_on_changed_training_rows_measures_all_held_out_samples(settings, tmp_path):
    """Samples that selected the best epoch before may select it again; samples used for training or selection are
    never in the test split.
    """
    run, path = Run(tmp_path / "run"), Path(settings["data"]["path"])
    first = zoo.train(settings, run.folder)
    trained = zoo.load_data("csv", path=str(path), target="y").train.columns["numeric"][0, 0]
    rows = pd.read_csv(path)
    rows.loc[np.isclose(rows["a"], float(trained)), "b"] = 0.5
    rows.to_csv(path, index=False)
    run.metrics.unlink()
    settings["trainer"]["max_epochs"] = 3
    again = zoo.train({**settings, "resume": "changed"}, run.folder)
    assert first["test"] != again["test"] == evaluate_weights(run.folder)["test"]
    assert again["val"] == evaluate_weights(run.folder, split="val")["val"]
    with np.load(run.samples) as keys:
        assert len(keys["seen before val"]) == 120 and len(keys["seen before test"]) == 160


def test_columns_named_like_paths_keep_their_names(config, tmp_path, monkeypatch):
    table(tmp_path / "imu.csv")
    rows = pd.read_csv(tmp_path / "imu.csv").rename(columns={"a": "/imu/x", "b": "~", "y": "/robot/slip"})
    rows.to_csv(tmp_path / "imu.csv", index=False)
    monkeypatch.chdir(tmp_path)
    settings = config("fnn/mlp", "data=csv", "data.path=imu.csv", "data.target=/robot/slip", "trainer=cpu")
    settings["trainer"]["max_epochs"] = 1
    metrics = zoo.train(settings, tmp_path / "run")
    shutil.copy(tmp_path / "run" / "model.safetensors", "alone.safetensors")
    for weights in (tmp_path / "run", "alone.safetensors"):
        assert evaluate_weights(weights)["test"] == metrics["test"]


def test_a_run_in_the_home_folder_is_recorded_with_a_tilde(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    zoo.train(settings, "~/run")
    append(Path(settings["data"]["path"]))
    evaluate_weights("~/run")
    assert "left out of the test split" in capsys.readouterr().out


def test_a_project_that_was_moved_is_evaluated_and_resumed_from_its_new_place(settings, tmp_path, monkeypatch, capsys):
    project = tmp_path / "there" / "project"
    shutil.copytree(tmp_path / "data", project / "data")
    monkeypatch.chdir(project)
    settings["data"]["path"] = "data/train.csv"
    metrics = zoo.train(settings, "runs/one")
    shutil.move(project, tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(UserError, match=r"there/project/data/train\.csv, which does not exist; evaluate in the folder"):
        evaluate_weights("../moved/runs/one")
    monkeypatch.chdir(tmp_path / "moved")
    assert evaluate_weights("runs/one")["test"] == metrics["test"]
    assert "project/data/train.csv does not exist; using " in capsys.readouterr().out
    Run(Path("runs/one")).metrics.unlink()
    assert zoo.train({**settings, "resume": "auto"}, "runs/one")["test"] == metrics["test"]
