"""Speed optimisations change no result, and can be switched off."""

import csv
import ctypes
import multiprocessing
import os
import platform
import signal
from concurrent.futures import ProcessPoolExecutor

import lightning as L
import pytest
import torch
from helpers.commands import ROOT
from soaking.kills import _equal, contents

import zoo
from zoo.core.errors import InterruptedTraining, UserError
from zoo.engine._lightning import NVML_CHECK
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.module import ZooModule
from zoo.engine.speed.malloc import malloc
from zoo.engine.speed.step_groups import StepGroups
from zoo.engine.speed.tricks import ALL

SETTINGS = {
    "fnn": ("model=fnn/mlp", "trainer.max_epochs=2", "data.batch_size=8", "model.dropout=0.2", "optim.ema=0.9",
            "optim.lookahead=3", "optim.clip=1"),
    "fnn, accumulated": ("model=fnn/mlp", "trainer.max_epochs=2", "data.batch_size=2",
                         "trainer.accumulate_grad_batches=3", "optim.ema=0.9", "optim.lookahead=2", "optim=muon"),
    "cnn": ("model=cnn", "trainer.max_epochs=1", "trainer.limit_train_batches=5", "optim.sam=0.01"),
    "rnn": ("model=rnn/lstm", "trainer.max_epochs=2", "model.width=16"),
}  # fmt: skip
TEXT = ("model=rnn/char_lm", "data=text", f"data.path={ROOT / 'LICENSE'}", "data.n_steps=2", "trainer.max_epochs=2",
        "model.width=8", "data.batch_size=4", "baseline=false")  # fmt: skip


def results(folder):
    """Return the results of a training, without its config and Lightning's count of validation batches."""
    files = contents(folder)
    loop = files["checkpoint"]["loops"]["fit_loop"]
    files["checkpoint"]["loops"] = {key: value for key, value in loop.items() if "val_loop" not in key}
    parts = [files[name] for name in ("checkpoint", "metrics.csv", "metrics.json")]
    return *parts, dict(zoo.load(folder).model.state_dict())


class Stop:
    """Stops the training at batch `n`."""

    def __init__(self, monkeypatch, n):
        step = ZooModule.add_gradient

        def add_gradient(module, batch, share, mean):
            self.n += 1
            if self.n == n:
                os.kill(os.getpid(), signal.SIGUSR1)
            step(module, batch, share, mean)

        self.n = 0
        monkeypatch.setattr(ZooModule, "add_gradient", add_gradient)


@pytest.fixture(scope="module")
def plain(config, tmp_path_factory):
    """The run folder of a training without tricks."""
    folders = {}

    def run(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("plain") / "run"
            zoo.train(config(*SETTINGS[name], "trainer=cpu", "trainer.tricks=[]"), folders[name])
        return folders[name]

    return run


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("trick", [*ALL, "all"])
def test_a_trick_changes_no_bit_of_a_training(config, plain, tmp_path, name, trick):
    tricks = "all" if trick == "all" else f"[{trick}]"
    zoo.train(config(*SETTINGS[name], "trainer=cpu", f"trainer.tricks={tricks}"), tmp_path / "run")
    assert _equal(results(plain(name)), results(tmp_path / "run"))


@pytest.mark.parametrize("name", ["fnn", "fnn, accumulated"])
@pytest.mark.parametrize(("before", "after"), [("[]", "all"), ("all", "[]"), ("all", "all")])
def test_a_resume_in_mid_epoch_may_switch_tricks(config, plain, tmp_path, monkeypatch, name, before, after):
    """Checkpoints count single batches, even if Lightning got several at once."""
    settings = (*SETTINGS[name], "trainer=cpu", "resume=auto")
    n_batches = -(-341 // (8 if name == "fnn" else 2))
    stop = Stop(monkeypatch, n_batches + n_batches // 3)
    with pytest.raises(InterruptedTraining):
        zoo.train(config(*settings, f"trainer.tricks={before}"), tmp_path / "run")
    assert n_batches < stop.n < 2 * n_batches
    zoo.train(config(*settings, f"trainer.tricks={after}"), tmp_path / "run")
    assert _equal(results(plain(name)), results(tmp_path / "run"))


def test_a_long_text_resumes_from_the_state_of_its_streams(config, tmp_path, monkeypatch):
    settings = (*TEXT, "trainer=cpu", "resume=auto")
    zoo.train(config(*settings, "trainer.tricks=[]"), tmp_path / "whole")
    stop = Stop(monkeypatch, 140)
    with pytest.raises(InterruptedTraining):
        zoo.train(config(*settings), tmp_path / "run")
    assert 115 < stop.n < 230  # in the second epoch
    newest = max((tmp_path / "run" / "checkpoints").glob("*.ckpt"), key=os.path.getmtime)
    (states,) = SafeCheckpointIO().load_checkpoint(newest)["streams"]
    assert states[0][0].shape == (1, 4, 8)  # of an LSTM
    zoo.train(config(*settings), tmp_path / "run")
    assert _equal(results(tmp_path / "whole"), results(tmp_path / "run"))


@pytest.mark.parametrize("tricks", ["[]", "all"])
@pytest.mark.parametrize("size", [4, 32])
def test_a_resume_in_mid_epoch_may_change_the_batch_size(config, tmp_path, monkeypatch, tricks, size):
    """The schedule ends with the last update, wherever in its epoch the training resumes."""
    settings = ("model=fnn/mlp", "trainer.max_epochs=3", "trainer=cpu", f"trainer.tricks={tricks}")
    Stop(monkeypatch, 60)
    with pytest.raises(InterruptedTraining):
        zoo.train(config(*settings, "data.batch_size=8"), tmp_path)
    zoo.train(config(*settings, f"data.batch_size={size}", "resume=changed"), tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["lr"]) == 0


class Follow(L.Callback):
    """Follows every batch."""

    n = 0

    def on_train_batch_end(self, *args):
        self.n += 1


def test_batches_that_a_callback_follows_are_not_grouped(config, tmp_path):
    follow = Follow()
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1", "data.batch_size=8"), tmp_path, callbacks=[follow])
    assert follow.n == 43  # of 341 samples


def test_small_batches_are_grouped(config, tmp_path, monkeypatch):
    sizes, batches = [], StepGroups.batches
    monkeypatch.setattr(
        StepGroups, "batches", lambda self, *args: sizes.append(len(self.numbers(args[1]))) or batches(self, *args)
    )
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1", "data.batch_size=8"), tmp_path)
    assert sizes == [32, 11]


def test_a_module_is_as_it_was_after_a_training_with_tricks(config, tmp_path):
    class Keep(L.Callback):
        def on_fit_end(self, trainer, pl_module):
            self.module = pl_module

    keep, before = Keep(), os.environ.get(NVML_CHECK)
    zoo.train(config("model=fnn/mlp", "trainer=debug"), tmp_path, callbacks=[keep])
    assert not {"training_step", "n_batches", "batches_done", "optimizers", "manual_backward"} & set(vars(keep.module))
    assert os.environ.get(NVML_CHECK) == before


@pytest.mark.parametrize(
    ("setting", "message"),
    [("[step_group]", "no trick 'step_group'; the nearest: step_groups"), ("some", "all, or a list such as")],
)
def test_unknown_tricks_are_refused(config, tmp_path, setting, message):
    with pytest.raises(UserError, match=message):
        zoo.train(config("model=fnn/mlp", f"trainer.tricks={setting}"), tmp_path)


class Memory(ctypes.Structure):
    """The struct of mallinfo2(3)."""

    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks",
                                                     "fsmblks", "uordblks", "fordblks", "keepcost")]  # fmt: skip


def check_that_memory_is_kept():
    glibc = ctypes.CDLL("libc.so.6")
    glibc.mallinfo2.restype = Memory

    def mapped_for_a_tensor():
        before = glibc.mallinfo2().hblkhd
        tensor = torch.ones(2**25)  # 128 MiB
        return glibc.mallinfo2().hblkhd - before, tensor

    with malloc():
        assert mapped_for_a_tensor()[0] == 0
        assert glibc.mallinfo2().fordblks >= 2**27
    assert mapped_for_a_tensor()[0] >= 2**27


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_steps_reuse_the_memory_they_free():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:  # one where no memory was refused yet:
        fresh.submit(
            check_that_memory_is_kept
        ).result()  # glibc leaves the main heap in a thread whose allocation was refused
