"""When checkpoints are saved: the best epoch, the latest state, and on a signal. See docs/checkpoints.md."""

import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from zoo.core.checkpoint_file import checkpoints, is_sound
from zoo.core.errors import InterruptedTraining
from zoo.core.system import STOP_SIGNALS
from zoo.engine._lightning import moved_best
from zoo.engine.checkpoint_io import SafeCheckpointIO


class Best(ModelCheckpoint):
    """Saves the epoch with the lowest validation loss as best.ckpt; a run folder that was moved keeps its own.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path):
        best: Any = {"filename": "best", "monitor": "val/loss", "enable_version_counter": False}
        super().__init__(folder, save_on_train_epoch_end=True, **best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        path = Path(str(self.dirpath)) / "best.ckpt"
        if is_sound(path):
            state_dict = moved_best(state_dict, str(self.dirpath), str(path))
        super().load_state_dict(state_dict)


class Saving(Checkpoint):
    """Saves the latest state whenever `every` seconds have passed, at the end of the training, and on SIGINT, SIGTERM
    or SIGUSR1.

    It saves after an update of the weights. A signal's save ends the training with InterruptedTraining; a second SIGINT
    ends the process at once. As a kind of Checkpoint it runs after all other callbacks, so that it saves what they did.

    Args:
        folder: of the checkpoints.
        every: seconds.
        n: how many are kept, beside best.ckpt.
    """

    def __init__(self, folder: Path, every: float, n: int):
        self.folder, self.every, self.n = folder, every, n
        self._caught = 0
        self._handlers: dict[int, Any] = {}  # those before the training

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._saved = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # only it may set handlers
            self._handlers = {number: signal.signal(number, self._catch) for number in STOP_SIGNALS}

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self._caught = number
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.updated and not trainer.is_last_batch:
            self._save_if_due(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        ends = trainer.current_epoch + 1 == trainer.max_epochs or trainer.global_step == trainer.max_steps
        self._save_if_due(trainer, ends or trainer.should_stop)

    def _save_if_due(self, trainer: L.Trainer, done: bool = False) -> None:
        due = done or time.monotonic() - self._saved >= self.every
        action = self._caught or int(due)  # no signal that is caught has number 1
        if trainer.world_size > 1:  # all processes save and end together, or none
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
        while self._handlers:  # before Lightning restores those that it found
            signal.signal(*self._handlers.popitem())

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)
