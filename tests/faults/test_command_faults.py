"""Faults 21, 22 and 24: mistakes in a command, a minimal environment, and sweeps with failures or kills."""

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import ROOT, in_this_process

import zoo
from zoo.core.errors import UserError
from zoo.data.sources.cache import cache_folder
from zoo.engine.families import ZooModule

pytestmark = pytest.mark.slow
MISTAKES = {
    "model=cnnn": "nearest: cnn",
    "modle=cnn": "nearest: model",
    "model=cnn model.wdth=3": "nearest: model.width",
    "model=cnn trainer.max_epochs=three": "trainer.max_epochs is a whole number",
    "model=cnn data=japanese_vowels": "takes image; data japanese_vowels offers sequence, lengths",
    "model=fnn/mlp run_dir=/proc/nowhere": "/proc/nowhere",
    "cnnn": "nearest: cnn",
    "--model fnn": "settings are written without dashes: model=fnn",
    "model=fnn/mlp seed=0,1": "add -m; all at once: seeds=[0,1]",
    "model=cnn data=diabetes": "model cnn/small takes image; data diabetes offers numeric",
    "model=cnn data=imagefolder data.path=nowhere": "no file or folder 'nowhere'",
    "model=fnn/mlp data=diabetes task.label_smoothing=0.1": "task.label_smoothing=null",
    "model=fnn/mlp +data.augment.flip.p=0.5": "it needs 'image'; this batch has numeric",
    "model=fnn/mlp data=minst": "nearest: mnist",
    "model=fnn/mlp optim.schedule.name=cosin": "nearest: cosine",
    "model=fnn/mlp optim.lr=fast": "optim.lr is a number",
    "model=fnn/mlp data.batch_size=0": "data.batch_size",
    "model=fnn/mlp trainer.max_epochs=0": "whole number from 1",
    "model=fnn/mlp data.split_seed=-1": "data breast_cancer",
    "model=fnn/mlp optim.ema=2": "optim.ema",
    "model=fnn/mlp optim.lookahead=0": "optim.lookahead",
    "model=fnn/mlp optim=adamw optim.bias_lr=0": "optim.bias_lr is a factor above 0",
    "model=fnn/mlp optim.betas=[0.9]": "optim.name=adamw",
    "model=fnn/mlp optim.schedule.name=step optim.schedule.gamma=x": "optim.schedule.name=step",
    "model=fnn/mlp optim.schedule.gamma=0.5": "no option of schedule one_cycle 'gamma'",
    "model=fnn/mlp trainer.precision=half": "trainer.precision 'half'",
    "model=fnn/mlp data.n_folds=5": "data.n_folds=5 has no effect without data.fold, such as data.fold=0",
    "model=fnn/mlp +trainer.gradient_clip_val=1": "optim.clip=1",
    "model=fnn/mlp trainer.check_val_every_n_epoch=0": "whole number from 1",
    "model=fnn/mlp budget=5": "a time above 0 with its unit",
    "model=fnn/mlp +trainer.max_time=00:00:01:00": "budget=90s",
    "model=cnn data.augment.warp.rotate=7.5 optim.ema=3": "optim.ema",  # rotations take any number of degrees
    "model=fnn/mlp optim.lr=null": "optim.lr is a number",
    "model=fnn/mlp optim.schedule=null": "optim.schedule.name=cosine",
    "model=fnn/mlp +extra=1": "no setting 'extra'",
    "model=cnn data.augment.cutout.size=8": "+data.augment.cutout.size=8",
    "model=cnn data=cifar10 +data.augment.trivial={} model.label_smoothing=0.1": "nearest: task.label_smoothing",
    "model=cnn data=cifar10 data.augment.crop.paddin=2": "nearest: data.augment.crop.padding",
    "model=cnn data=cifar10 data.augment.flop.p=1": "nearest: data.augment.flip",
    "model=fnn/mlp 'seed=[1'": "",
    "model=fnn/mlp resume=nowhere.ckpt": "resume=auto",
    "model=fnn/mlp finetune=fnn/mpl.breast_cancer": "nearest: fnn/mlp.breast_cancer",
    "model=fnn/mlp zoo_path=/nowhere": "is not a folder",
    "optim=sgd": "say which model",
    "model=0": "model is a name",
    "model=fnn/mlp optim=1e-3": "optim is a name, such as adam; got 1e-3",
    "model=fnn/mlp data=[wine,2]": "data is a name",
    "model=fnn/mlp data=[wine,nowhere]": "data/nowhere",
    "model=fnn/mlp data.batch_size=many": "data.batch_size is a whole number",
    "model=fnn/mlp optim.weight_decay=much": "optim.weight_decay is a number",
    "model=fnn/mlp data=csv": "data.path",
    "model=fnn/mlp data=csv data.path=flats.csv data.target=price": "flats.csv",
    "model=cnn data=imagefolder": "data.path",
    "model=rnn data=sequences": "data.path",
    "model=rnn data=series": "data.path",
    "model=rnn data=text data.path=nowhere/book.txt": "book.txt",
    "model=rnn data=ucr data.name=GunPiont": "GunPoint",
    "model=fnn/mlp data=wine data.fold=7": "data.fold",
    "model=fnn/mlp data=csv data.path=größe(1).csv data.target=y": "größe(1).csv",
}


IN_A_PROCESS_OF_THEIR_OWN = ("model=cnnn", "model=cnn trainer.max_epochs=three")  # the others, faster, in this one


@pytest.mark.parametrize("arguments", MISTAKES)
def test_fault_21_a_mistake_ends_in_a_few_lines(script, tmp_path, monkeypatch, capsys, arguments):
    """A misspelt setting, a value of the wrong type or an unknown group ends with exit code 2 and at most five
    lines, with the rule or the nearest name.
    """
    if arguments in IN_A_PROCESS_OF_THEIR_OWN:
        done = script("train", *shlex.split(arguments), cwd=tmp_path)
        code, err = done.code, done.err
    else:
        monkeypatch.chdir(tmp_path)
        code, err = in_this_process("train", shlex.split(arguments), monkeypatch), capsys.readouterr().err
    assert code == 2, err
    assert len(err.strip().splitlines()) <= 5
    assert "Traceback" not in err
    assert MISTAKES[arguments] in err
    assert not list(tmp_path.iterdir())  # no run folder either


def test_fault_21_a_refused_training_leaves_a_folder_as_it_was(tmp_path, monkeypatch):
    """Where data turn out unreadable late, a new run folder and its parents go again; what was there before stays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("".join(["x,y\n", *(f"{k},{k % 2}\n" for k in range(60))]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    stop = ["+trainer.val_check_interval=99999"]
    for late in (
        ["run_dir=new/run", *stop],
        ["run_dir=kept", "data.ignore=[z]"],
        ["run_dir=empty", "data.test_share=2"],
    ):
        assert in_this_process("train", ["fnn/mlp", "rows.csv", "y", "trainer=cpu", *late], monkeypatch) == 2
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(UserError, match="no column"):
        zoo.train(zoo.config("fnn/mlp", "data=csv", "data.path=rows.csv", "data.target=z"), tmp_path / "new" / "run")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.long
def test_fault_22_folders_may_have_spaces_and_non_ascii_letters(script, tmp_path):
    """A training in a folder with spaces and non-ASCII letters, without a terminal, prints one line per epoch; its
    files evaluate to the same metrics.
    """
    folder = tmp_path / "a folder, ünïcode"
    trained = script("train", "model=fnn/mlp", f"run_dir='{folder}'", "trainer.max_epochs=2", "trainer=cpu")
    assert trained.code == 0, trained.err
    assert "epoch 2" in trained.out  # a line an epoch, where there is no terminal
    assert str(folder / "report.html") in trained.out
    assert trained.err == ""
    measured = script("evaluate", f"weights='{folder / 'model.safetensors'}'", f"run_dir={tmp_path / 'e'}")
    assert measured.code == 0, measured.err
    metrics, again = (json.loads((path / "metrics.json").read_text()) for path in (folder, tmp_path / "e"))
    assert metrics["test"] == again["test"]
    for value in metrics["test"].values():
        assert f"{value:.4g}"[:5] in measured.out


@pytest.mark.long
def test_fault_22_a_training_needs_no_locale_and_no_home(script, tmp_path):
    """A training works from any folder, with LANG=C and without a writable home."""
    env = {"LANG": "C", "LC_ALL": "C", "HOME": "/proc", "XDG_CACHE_HOME": "/proc"}
    done = script("train", "model=rnn/lstm", "model.width=8", "trainer=debug", cwd=tmp_path, env=env)
    assert done.code == 0, done.err
    assert list(tmp_path.glob("runs/*/metrics.json"))


def test_fault_22_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    """A path that begins with a tilde is in the home folder, in commands and in Python; no folder named ~ is
    created.
    """
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{i % 2}\n" for i in range(100)]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "rows.csv").write_text("".join(["x,y\n", *rows]))
    (tmp_path / "home" / "kinds.yaml").write_text("columns: {x: categorical}")
    own = ["data=csv", "data.path=~/rows.csv", "data.target=y", "data.schema=~/kinds.yaml", "run_dir=~/run"]
    assert in_this_process("train", ["model=fnn/mlp", *own, "trainer=cpu", "trainer.max_epochs=1"], monkeypatch) == 0
    answers = ["weights=~/run", "input=~/rows.csv", "output=~/answers.csv"]
    assert in_this_process("predict", answers, monkeypatch) == 0
    assert in_this_process("evaluate", ["weights=~/run", "run_dir=~/measured"], monkeypatch) == 0
    assert {"run", "answers.csv", "measured"} <= {path.name for path in (tmp_path / "home").iterdir()}
    assert len(zoo.load("~/run").predict(Path("~/rows.csv"))) == 100
    monkeypatch.setenv("ZOO_CACHE", "~/kept")
    assert cache_folder() == tmp_path / "home" / "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_fault_24_a_sweep_continues_after_a_failed_job(tmp_path, monkeypatch, capsys):
    """If a job diverges, has a mistake or crashes, the others continue; the summary names it, and the sweep exits
    with the code of the first failed job.
    """
    arguments = ["-m", "model=fnn/mlp", "optim=sgd", "optim.lr=0.1,1e30,-1,0.2", "trainer.max_epochs=1"]
    assert in_this_process("train", [*arguments, f"run_dir={tmp_path}"], monkeypatch) == 3
    out, err = capsys.readouterr()
    assert len(list(tmp_path.rglob("metrics.json"))) == 2
    first, second = (line for line in out.splitlines() if line.startswith("failed: "))
    assert "optim.lr=1e+30" in first and "nan" in first
    assert "optim.lr=-1" in second and "Invalid learning rate" in second
    assert "Traceback" not in err
    monkeypatch.setattr("zoo.engine.load_splits.load_section", lambda _: 1 / 0)
    assert (
        in_this_process("train", ["-m", "model=fnn/mlp", "seed=0,1", f"run_dir={tmp_path / 'bug'}"], monkeypatch) == 1
    )
    assert capsys.readouterr().err.count("ZeroDivisionError") == 2 * 2  # with its traceback, after the job's name


def test_fault_24_a_signal_ends_the_whole_sweep(tmp_path, monkeypatch):
    """On a signal a sweep saves the running job, starts no other, and ends with the signal's exit code."""
    monkeypatch.setattr(ZooModule, "on_train_epoch_end", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert in_this_process("train", ["-m", "model=fnn", "seed=0,1", f"run_dir={tmp_path}"], monkeypatch) == 143
    assert {path.parts[-3] for path in tmp_path.rglob("*.ckpt")} == {"model=fnn,seed=0"}


@pytest.mark.long
def test_fault_24_a_killed_sweep_resumes(tmp_path, monkeypatch, capfd):
    """After a kill the same command skips finished jobs, resumes the interrupted one, and runs the rest."""
    arguments = ["-m", "model=fnn/mlp", "seed=0,1,2", "trainer.max_epochs=9", "trainer.save_every=0", "resume=auto"]
    arguments += [f"run_dir={tmp_path}"]
    command = [sys.executable, ROOT / "scripts" / "train.py", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = 0
        for line in process.stdout:
            started += line.startswith("training")
            if started == 2 and line.startswith("epoch 4"):
                process.kill()
                break
        process.communicate()
    assert len(list(tmp_path.rglob("metrics.json"))) == 1
    sweep(arguments, monkeypatch)
    out = capfd.readouterr().out
    assert out.count("finished already") == 1
    assert out.count("epoch 1/9") == 1  # the third job's
    assert len(list(tmp_path.rglob("metrics.json"))) == 3


def sweep(arguments, monkeypatch):
    """Run a sweep without failing jobs in this process."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    runpy.run_path(str(ROOT / "scripts" / "train.py"), run_name="__main__")
