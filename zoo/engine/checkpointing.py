"""When checkpoints are saved: the best epoch, the newest state, and on a signal."""

import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping, ModelCheckpoint

from zoo.core.checkpoint_file import checkpoints, is_sound
from zoo.core.errors import InterruptedTraining, UserError
from zoo.core.system import STOP_SIGNALS
from zoo.engine.checkpoint_io import SafeCheckpointIO


class Best(ModelCheckpoint):
    """Keeps the epoch of the lowest validation loss, as best.ckpt; a folder that was moved keeps its own.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path):
        best: Any = {"filename": "best", "monitor": "val/loss", "enable_version_counter": False}
        super().__init__(folder, save_on_train_epoch_end=True, **best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        path = Path(str(self.dirpath)) / "best.ckpt"
        if state_dict["best_k_models"] and is_sound(path):
            state_dict = {
                **state_dict,
                "dirpath": self.dirpath,
                "best_model_path": str(path),
                "kth_best_model_path": str(path),
                "best_k_models": {str(path): state_dict["best_model_score"]},
            }
        super().load_state_dict(state_dict)


class Saving(Checkpoint):
    """Keeps the newest checkpoints: one at the end of the training, one whenever `every` seconds have passed, and on
    SIGINT, SIGTERM or SIGUSR1 one at the end of the batch, to raise InterruptedTraining; a second SIGINT ends at once.

    As a kind of Checkpoint it runs after all other callbacks, so that it saves what they did in the batch. A checkpoint
    of another optimiser, or of more epochs than there are to be, it refuses.

    Args:
        folder: of the checkpoints.
        every: seconds.
        n: how many are kept, beside best.ckpt.
    """

    def __init__(self, folder: Path, every: float, n: int):
        self.folder, self.every, self.n = folder, every, n
        self._caught = 0
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._saved = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # only it may set handlers
            self._before = {number: signal.signal(number, self._catch) for number in STOP_SIGNALS}
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        trainer.should_stop = any(map(_stopped, callbacks))  # before it was killed

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self._caught = number
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        before, now = checkpoint["hyper_parameters"]["optim"]["name"], pl_module.hparams["optim"]["name"]
        if before != now:
            raise UserError(
                f"a training goes on with its optimiser; optim.name was {before} and is {now} now; take it back, or "
                "start from the weights in another folder, with finetune=<this one>"
            )
        n, n_max = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], trainer.max_epochs
        if n_max is not None and 0 <= n_max < n:
            raise UserError(f"{n} epochs are trained already, and trainer.max_epochs={n_max}; it is at least as many")

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.is_last_batch:
            self._act(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        ends = trainer.current_epoch + 1 == trainer.max_epochs or trainer.global_step == trainer.max_steps
        self._act(trainer, ends or trainer.should_stop)  # after validation, if a signal came in the epoch's last batch

    def _act(self, trainer: L.Trainer, done: bool = False) -> None:
        due = done or time.monotonic() - self._saved >= self.every
        action = self._caught or int(due)  # no signal that is caught has number 1
        if trainer.world_size > 1:  # all processes save and end alike, or none
            number = torch.tensor(action, device=trainer.strategy.root_device)
            action = int(trainer.strategy.reduce(number, reduce_op="max"))
        if action:
            path = self._save(trainer)
            if action > 1:
                raise InterruptedTraining(action, str(path))

    def _save(self, trainer: L.Trainer) -> Path:
        path = self.folder / f"step={trainer.global_step}.ckpt"
        trainer.save_checkpoint(path)
        self._saved = time.monotonic()
        steps = [other for other in checkpoints(self.folder) if other.name.startswith("step=") and other != path]
        for old in steps[self.n - 1 :] if trainer.is_global_zero else ():
            SafeCheckpointIO().remove_checkpoint(old)
        return path

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        while self._before:  # before Lightning restores what it found itself
            signal.signal(*self._before.popitem())

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)


def _stopped(callback: Callback) -> bool:
    return isinstance(callback, EarlyStopping) and callback.wait_count >= max(callback.patience, 1)
