"""A progress bar on a terminal, one line per epoch elsewhere."""

import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.core.console import echo
from zoo.engine.history import epoch_metrics


class Progress(Callback):
    """On a terminal one bar for the whole training, with loss, score and time left; elsewhere one line per epoch.

    Args:
        seconds: between two refreshes of the bar, each of which waits for the device once.
    """

    def __init__(self, seconds: float = 0.5):
        self.seconds = seconds
        self._bar: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not (trainer.is_global_zero and sys.stdout.isatty()):
            return
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar.start()
        module: Any = pl_module
        self._task = self._bar.add_task("epoch 1", total=module.n_updates)
        self._refreshed, self._score = time.perf_counter(), ""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module: Any = pl_module
        if self._bar and time.perf_counter() - self._refreshed > self.seconds:
            self._refresh(trainer, f"epoch {trainer.current_epoch + 1}  loss {module.mean_loss:.4f}{self._score}")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        values = epoch_metrics(trainer)
        module: Any = pl_module
        score = module.task.score
        self._score = f"  val {score} {float(values[f'val/{score}']):.4f}" if f"val/{score}" in values else ""
        loss = float(values.get("train/loss", module.mean_loss))
        line = f"epoch {trainer.current_epoch + 1}  loss {loss:.4f}{self._score}"
        if self._bar:
            self._refresh(trainer, line)
        elif trainer.is_global_zero:
            echo(line, flush=True)

    def _refresh(self, trainer: L.Trainer, line: str) -> None:
        self._bar.update(self._task, completed=trainer.global_step, description=line)
        self._refreshed = time.perf_counter()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "fit")
