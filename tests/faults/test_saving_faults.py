"""Faults 1 to 8, 17, 18, 26 and 34: kills, signals, failed writes, divergence, and trainings started twice."""

import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from helpers.commands import ROOT
from lightning.pytorch.callbacks import Callback
from soaking.kills import Chain, attempt, config_of, contents, differences

import zoo
from zoo.core.atomic_files import write_atomically, write_text
from zoo.core.checkpoint_file import checkpoints, is_sound, newest
from zoo.core.errors import DivergedError, InterruptedTraining, UserError
from zoo.core.run_folder import Run
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.inference.weights_file import load_weights, save_weights

FAMILIES = ("fnn", "cnn", "rnn")
STOPS = ((3, signal.SIGTERM), (5, signal.SIGINT), ("last of an epoch", signal.SIGUSR1))


@pytest.mark.long
@pytest.mark.parametrize("family", [*FAMILIES, "retrieval", "seeds"])
def test_fault_01_a_kill_at_any_moment_resumes_bit_for_bit(family, tmp_path):
    """After SIGKILL at random moments, every second time inside a save, the same command with resume=auto ends with
    the weights, optimiser, average, history and report of an uninterrupted run, bit for bit, and leaves no other
    files.
    """
    chain = Chain(tmp_path, config_of(family), random.Random(0))
    kills = 0
    while kills < 10:
        kills += list(chain.to_the_end()).count("kills")
        assert chain.differences() == []


def test_fault_01_half_written_files_of_seeds_are_removed(config, tmp_path):
    """Temporary files that a kill leaves in the folders of several seeds are removed at the next start."""
    settings = ("model=fnn/mlp", "seeds=[0,1]", "trainer.max_epochs=1", "resume=auto")
    for folder in ("seed=0", "seed=1/checkpoints", "checkpoints"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / ".model.safetensors.abc.zoo-tmp").touch()
    zoo.train_seeds(config(*settings), tmp_path)
    assert not list(tmp_path.rglob("*.zoo-tmp"))


def test_fault_01_early_stopping_survives_a_kill(tmp_path):
    """A training that stopped early does not continue after a kill that follows its last save."""
    config = {**config_of("fnn", "trainer.patience=1", "optim.lr=0.3"), "seed": 1}
    assert attempt(config, tmp_path / "whole") == 0
    assert attempt(config, tmp_path / "parts") == 0
    (tmp_path / "parts" / "metrics.json").unlink()
    assert attempt(config, tmp_path / "parts") == 0
    rows = contents(tmp_path / "whole")["metrics.csv"]
    assert 1 < len(rows) < config["trainer"]["max_epochs"]
    assert differences(tmp_path / "whole", tmp_path / "parts") == []


class Send(Callback):
    """Sends signals to this process in a step."""

    def __init__(self, step, *numbers):
        self.step, self.numbers = step, numbers

    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == self.step:
            for number in self.numbers:
                os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("family", "step", "number"),
    [*((family, *stop) for family in FAMILIES for stop in STOPS), ("retrieval", *STOPS[1])],
)
def test_fault_02_a_signal_saves_and_stops(config, tmp_path, family, step, number):
    """On SIGTERM, SIGINT and SIGUSR1 a training saves after the batch, and resumes to the weights of an
    uninterrupted run, bit for bit.
    """
    settings = {key: value for key, value in config_of(family).items() if key != "callbacks"} | {"resume": "auto"}
    zoo.train(settings, tmp_path / "whole", callbacks=[Send(0)])
    if isinstance(step, str):
        step = -(-len(zoo.load_data(settings["data"]["name"]).train) // settings["data"]["batch_size"])
    with pytest.raises(InterruptedTraining) as caught:
        zoo.train(settings, tmp_path / "parts", callbacks=[Send(step, number)])
    assert caught.value.signum == number
    assert not (tmp_path / "parts" / "metrics.json").exists()
    zoo.train(settings, tmp_path / "parts")
    assert differences(tmp_path / "whole", tmp_path / "parts") == []


@pytest.mark.long
def test_fault_02_the_exit_code_is_that_of_the_signal(tmp_path):
    """The command exits with 128 plus the signal's number, and says how to resume."""
    command = [
        sys.executable,
        ROOT / "scripts/train.py",
        "model=fnn/mlp",
        "trainer.max_epochs=5000",
        f"run_dir={tmp_path}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 2"):
                process.send_signal(signal.SIGUSR1)
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == 138
    assert "resume=auto" in err
    assert newest(tmp_path / "checkpoints") is not None


def train_and_send(settings, folder):
    zoo.train(settings, folder, callbacks=[Send(20, signal.SIGINT, signal.SIGINT)])


def test_fault_02_a_second_sigint_ends_at_once(tmp_path):
    """A second SIGINT ends the process at once, without a save; earlier checkpoints are intact."""
    settings = {key: value for key, value in config_of("fnn").items() if key != "callbacks"}
    process = multiprocessing.get_context("forkserver").Process(target=train_and_send, args=(settings, tmp_path))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGINT
    saved = list((tmp_path / "checkpoints").glob("*.ckpt"))
    assert saved and all(map(is_sound, saved))
    assert not (tmp_path / "checkpoints" / "step=20.ckpt").exists()


FULL = """
import os, sys, torch
from pathlib import Path
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.core.checkpoint_file import is_sound
io, path = SafeCheckpointIO(), Path(sys.argv[1]) / "best.ckpt"
io.save_checkpoint({"weights": torch.zeros(1000)}, path)
try:
    io.save_checkpoint({"weights": torch.zeros(1_000_000)}, path)
except OSError as error:
    print(error)
assert is_sound(path) and len(io.load_checkpoint(path)["weights"]) == 1000
assert os.listdir(sys.argv[1]) == ["best.ckpt"]
"""
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "bash", "-ec")


@pytest.mark.long
def test_fault_03_a_full_disk_keeps_the_old_checkpoint(tmp_path):
    """If the disk is full, the old checkpoint stays intact, the error names path and bytes, and TMPDIR plays no
    part.
    """
    if subprocess.run([*UNSHARE, f"mount -t tmpfs none {tmp_path}"], capture_output=True).returncode:
        pytest.skip("this machine lets no user mount a small disk")
    small = f"mount -t tmpfs -o size=1m none '{tmp_path}' && exec '{sys.executable}' -c '{FULL}' '{tmp_path}'"
    done = subprocess.run(
        [*UNSHARE, small], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "TMPDIR": "/proc"}
    )
    assert done.returncode == 0, done.stderr
    assert "No space left on device after" in done.stdout
    assert f"{tmp_path}/best.ckpt" in done.stdout


def test_fault_03_a_write_that_fails_leaves_the_old_file(tmp_path):
    """A file is either the old one or the new one, whatever happens while it is written."""
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(file):
        file.write(b"ne")
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["file/run", "/proc/run", "/dev/null/run"])
def test_fault_04_an_unwritable_run_folder_is_refused(config, tmp_path, folder):
    """A run folder that is read-only or cannot be created is refused before any data are read."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write run_dir"):
        zoo.train(config("model=fnn/mlp", "data.batch_size=-1"), tmp_path / folder)


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "no hash"])
def test_fault_05_a_damaged_checkpoint_is_skipped(tmp_path, harm, capsys):
    """A checkpoint with a flipped bit, truncated or empty, fails its hash, and the one before it is used."""
    io = SafeCheckpointIO()
    before, path = tmp_path / "step=1.ckpt", tmp_path / "step=2.ckpt"
    for number, each in enumerate((before, path)):
        io.save_checkpoint({"number": number}, each)
        os.utime(each, (1 - number, 1 - number))  # possible in a copy of the folder
    assert newest(tmp_path) == path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    unsealed = b" " * len(content[:200]) + content[200:]
    path.write_bytes({"flipped": content, "cut": content[:-9], "empty": b"", "no hash": unsealed}[harm])
    assert newest(tmp_path) == before
    assert f"skipping {path}" in capsys.readouterr().out
    with pytest.raises(UserError, match="damaged"):
        io.load_checkpoint(path)


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def file(runs, tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes((runs["fnn"] / "model.safetensors").read_bytes())
    return path


def test_fault_06_a_pickle_is_refused_and_never_run(file, config, tmp_path):
    """A pickle with code, named like a checkpoint or a weights file, is refused, and none of its code runs."""
    ran, checkpoint = tmp_path / "ran", tmp_path / "evil.ckpt"
    with pytest.raises(UserError, match=r"states\.0\.evil is of type test_saving_faults\.Evil"):
        SafeCheckpointIO().save_checkpoint({"states": [{"evil": Evil(ran)}]}, checkpoint)
    torch.save({"evil": Evil(ran)}, checkpoint)
    with pytest.raises(UserError, match="is a pickle"):
        SafeCheckpointIO().load_checkpoint(checkpoint)
    with pytest.raises(UserError, match="is a pickle"):
        zoo.train(config("model=fnn/mlp", f"resume={checkpoint}"), tmp_path / "run")
    checkpoint.write_bytes(pickle.dumps(Evil(ran)))
    with pytest.raises(UserError, match="damaged"):
        SafeCheckpointIO().load_checkpoint(checkpoint)
    torch.save(Evil(ran), file)
    with pytest.raises(UserError, match=r"file of torch\.save"):
        zoo.load(file)
    assert not ran.exists()


def test_fault_07_weights_of_another_model_or_format_are_refused(file):
    """Wrong shapes, missing and unexpected keys are listed, and for a newer format the message says what to do."""
    model, spec, header = load_weights(file)
    card = {key: header[key] for key in ("model", "spec", "config")}
    save_weights(file, zoo.create_model("fnn/mlp", spec, width=100), card)
    with pytest.raises(UserError, match=r"of another shape.*network.head.weight"):
        zoo.load(file)
    save_weights(file, zoo.create_model("fnn/mlp", spec, depth=3), card)
    with pytest.raises(UserError, match=r"unknown: network.layers.2"):
        zoo.load(file)
    save_weights(file, zoo.create_model("fnn/mlp", spec, depth=1), card)
    with pytest.raises(UserError, match=r"missing: network.layers.1"):
        zoo.load(file)
    save_weights(file, model, {**card, "format": 99})
    with pytest.raises(UserError, match="upgrade"):
        zoo.load(file)


class Poison(Callback):
    """Makes the loss or a gradient NaN or infinite in one step."""

    def __init__(self, what, value, step):
        self.what, self.value, self.step, self.n = what, value, step, 0

    def on_train_start(self, trainer, module):
        module.model.network.register_forward_hook(self.after_forward)

    def after_forward(self, network, inputs, output):
        return output * self.value if self.what == "loss" and self.n == self.step else None

    def on_before_optimizer_step(self, trainer, module, optimizer):
        if self.what == "gradient" and self.n == self.step:
            next(module.parameters()).grad[0] = self.value
        self.n += 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_fault_08_divergence_ends_the_training(config, tmp_path, what, value):
    """NaN or infinity in the loss or a gradient ends the training, and everything saved is finite."""
    settings = config("model=fnn/mlp", "optim=adamw", "trainer.max_epochs=5", "trainer.save_every=0")
    with pytest.raises(DivergedError, match=r"optim\.lr"):
        zoo.train(settings, tmp_path, callbacks=[Poison(what, value, 20)])
    saved = list((tmp_path / "checkpoints").glob("*.ckpt"))
    assert saved
    for path in saved:
        weights = SafeCheckpointIO().load_checkpoint(path)["state_dict"].values()
        assert all(value.isfinite().all() for value in weights)


def test_fault_08_rollback_returns_to_the_best_epoch(config, tmp_path, capsys):
    """With trainer.rollback=0.5 a training that diverges returns to its best epoch with half the learning rate, and
    finishes.
    """
    settings = config("model=fnn/mlp", "trainer.max_epochs=3", "trainer.rollback=0.5", "optim.schedule.name=constant")
    metrics = zoo.train(settings, tmp_path, callbacks=[Poison("gradient", float("nan"), 20)])
    assert "rolled back to it, learning rate lowered (time 1)" in capsys.readouterr().out
    assert metrics["test"]["accuracy"] > 0.9
    rates = [float(row["lr"]) for row in contents(tmp_path)["metrics.csv"]]
    assert rates[-1] == pytest.approx(settings["optim"]["lr"] / 2)
    assert rates[0] == pytest.approx(settings["optim"]["lr"])


def test_fault_17_a_changed_config_is_refused(config, tmp_path, capsys):
    """A resume with another config prints the difference and is refused, unless resume=changed allows it."""
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1"), tmp_path)
    with pytest.raises(UserError, match=r"trainer.max_epochs: 1 before, 2 now"):
        zoo.train(config("model=fnn/mlp", "trainer.max_epochs=2", "resume=auto"), tmp_path)
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1", "resume=auto", "trainer.save_every=7"), tmp_path)
    assert "finished already" in capsys.readouterr().out
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=2", "resume=changed"), tmp_path)
    assert "trainer.max_epochs: 1 before, 2 now" in capsys.readouterr().out
    assert len(contents(tmp_path)["metrics.csv"]) == 2
    other = {
        "model.width=8": "is of another model or optimiser",
        "optim=sgd": "optim.name was adamw and is now sgd",
        "trainer.max_epochs=1": "2 epochs are trained already",
    }
    for setting, message in other.items():
        with pytest.raises(UserError, match=message):
            zoo.train(config("model=fnn/mlp", "trainer.max_epochs=3", setting, "resume=changed"), tmp_path)
    capsys.readouterr()
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=2", "resume=auto"), tmp_path)
    assert "finished already" in capsys.readouterr().out  # as before the refusals


def test_another_rate_and_a_folder_that_was_moved(config, tmp_path):
    """A resumed training takes a new learning rate; in a moved folder it still finds its best epoch."""
    constant = ("model=fnn/mlp", "optim.schedule.name=constant")
    zoo.train(config(*constant, "optim.lr=0.01", "trainer.max_epochs=3"), tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    settings = config(*constant, "optim.lr=1", "trainer.max_epochs=4", "resume=changed")
    metrics = zoo.train(settings, tmp_path / "there")
    rows = contents(tmp_path / "there")["metrics.csv"]
    assert [float(row["lr"]) for row in rows] == [0.01, 0.01, 0.01, 1]
    assert float(rows[3]["val/loss"]) > 2 * float(rows[2]["val/loss"])
    assert metrics["epoch"] <= 3


def test_fault_26_a_clock_set_back_changes_nothing(config, tmp_path, monkeypatch):
    """With the clock set back, a training resumes from the checkpoint saved last, and keeps and releases what it
    saves then; also in a copy of the folder.
    """
    settings = (
        "model=fnn/mlp",
        "trainer.keep=last",
        "trainer.save_every=0",
        "trainer.n_checkpoints=1",
        "resume=changed",
    )
    zoo.train(config(*settings, "trainer.max_epochs=2"), tmp_path)
    monkeypatch.setattr("time.time_ns", lambda: 1)
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert zoo.train(config(*settings, "trainer.max_epochs=4"), tmp_path)["epoch"] == 4
    (kept,) = (tmp_path / "checkpoints").glob("step=*.ckpt")
    assert kept == newest(tmp_path / "checkpoints")
    assert SafeCheckpointIO().load_checkpoint(kept)["epoch"] == 3


def test_fault_26_the_newest_checkpoint_is_the_one_saved_last(tmp_path):
    """Checkpoints are ordered by when they were saved, whatever their names or a copy's file times; one without its
    number counts as the oldest and replaces no other.
    """
    io, paths = SafeCheckpointIO(), [tmp_path / f"step={n}.ckpt" for n in (3, 1, 2)]
    for path in (*paths, paths[0]):
        io.save_checkpoint({}, path)
        os.utime(path, (0, 0))
    assert checkpoints(tmp_path) == [paths[0], paths[2], paths[1]]
    paths[0].write_bytes(b" " * 999)
    assert checkpoints(tmp_path) == [paths[2], paths[1], paths[0]]


def test_fault_18_a_second_run_in_one_folder_is_refused(config, tmp_path):
    """The second of two trainings in one folder is refused while the first one runs, and not afterwards."""
    hold = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
    (tmp_path / "checkpoints").mkdir()
    command = [sys.executable, "-c", hold, str(tmp_path / "checkpoints" / ".lock")]
    settings = config("model=fnn/mlp", "trainer.max_epochs=1", "resume=auto")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(UserError, match="in use by another training"):
            zoo.train(settings, tmp_path)
        process.kill()
    assert zoo.train(settings, tmp_path)


def test_fault_34_a_second_thread_in_one_folder_is_refused(config, tmp_path):
    """Of two threads in one process that train in one folder the second is refused, and the first keeps its lock."""
    run, settings = Run(tmp_path), config("model=fnn/mlp", "trainer.max_epochs=1", "resume=auto")
    with run.claim(settings), ThreadPoolExecutor(1) as other:
        for _ in range(2):
            with pytest.raises(UserError, match="in use by another training"):
                other.submit(zoo.train, settings, tmp_path).result()
