"""A progress bar on a terminal, one line per epoch elsewhere."""

import math
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.core.console import echo
from zoo.core.formatting import format_number, format_seconds
from zoo.engine.early_stopping import EarlyStopping
from zoo.engine.history import History, epoch_metrics, training_loss

EVERY_LINE = 20  # epochs, from the first, of which each has a line
BAR = 20  # characters of the bar
WIDE = 100  # columns of a terminal that has room for it


class Progress(Callback):
    """Prints the epoch of how many, the losses, the score, and the time gone and left: on a terminal as one line that
    changes, elsewhere a line per epoch, of many short epochs one every few seconds.

    Args:
        history: of the training; knows its epochs and seconds.
        ending: knows where the training ends.
        seconds: between two refreshes of a terminal's line, each of which waits for the device once.
        line_seconds: at least, between two lines where there is no terminal, after the first twenty epochs.
    """

    def __init__(self, history: History, ending: EarlyStopping, seconds: float = 0.5, line_seconds: float = 5.0):
        self.history, self.ending, self.seconds, self.line_seconds = history, ending, seconds, line_seconds
        self._bar: Any = None
        self._held = ""  # the line of an epoch that is not printed yet
        self._n_lines = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        self._before = self._epochs = (
            trainer.current_epoch + module.batches_done() % module.n_batches() / module.n_batches()
        )
        self._start = self._shown = time.perf_counter()
        self._validation = ["", ""]
        if trainer.is_global_zero and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            self._bar = _terminal_line()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar and time.perf_counter() - self._shown > self.seconds:
            module: Any = pl_module
            self._epochs = trainer.current_epoch + (batch_idx + 1) / module.n_batches()
            self._refresh(trainer, self._words(trainer, module.mean_loss))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        self._epochs = trainer.current_epoch + 1
        values = epoch_metrics(trainer)
        self._validation = [_of_validation(name, values.get(f"val/{name}")) for name in ("loss", module.task.score)]
        words = self._words(trainer, training_loss(trainer, module))
        if self._bar:
            self._refresh(trainer, words)
        elif trainer.is_global_zero:
            self._held = "  ".join(filter(None, words))
            if self._n_lines < EVERY_LINE or time.perf_counter() - self._shown > self.line_seconds:
                self._print_held()

    def _print_held(self) -> None:
        if self._held:
            echo(self._held, flush=True)
            self._held, self._shown = "", time.perf_counter()
            self._n_lines += 1

    def _words(self, trainer: L.Trainer, loss: float) -> list[str]:
        """The parts of a line: the epoch, the validation loss, the score, the training loss, and the time."""
        return [self._epoch(trainer), *self._validation, f"train loss {format_number(loss)}", self._time(trainer)]

    def _epoch(self, trainer: L.Trainer) -> str:
        """The epoch, of how many or, where the length is not known, beside the best so far."""
        epoch = f"epoch {trainer.current_epoch + 1}"
        if not self.ending.is_open:
            return f"{epoch}/{math.ceil(self.ending.n_epochs(trainer))}"
        best = self.history.best_epoch
        return epoch + (f" (best {best})" if best else "")

    def _time(self, trainer: Any) -> str:
        """The time gone, and left or, where the length is not known, at most."""
        gone = time.perf_counter() - self._start
        left = gone * max(self.ending.n_epochs(trainer) - self._epochs, 0) / (self._epochs - self._before)
        budget = self.ending.budget
        limit = None if budget is None else max(budget - self.history.seconds, 0)
        if self.ending.is_open:
            most = gone + (left if limit is None else limit)
            return f"{format_seconds(gone)} of at most {format_seconds(most)}"
        left = left if limit is None else min(left, limit)
        return f"{format_seconds(gone)}" + f", {format_seconds(left)} left" * (left > 0)

    def _refresh(self, trainer: Any, words: Sequence[str]) -> None:
        width = self._bar.console.width
        done = min(BAR, round(BAR * self._epochs / self.ending.n_epochs(trainer)))
        bar = "" if width < WIDE or self.ending.is_open else f"  [{'#' * done}{'-' * (BAR - done)}]"
        self._bar.update(self._bar.task_ids[0], description=fit_width(words, width - len(bar)) + bar)
        self._shown = time.perf_counter()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._print_held()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._print_held()
        self.teardown(trainer, pl_module, "fit")


def fit_width(words: Sequence[str], width: int) -> str:
    """Join the parts of a line; where they are too wide the training loss is left out, then that of validation, then
    the score.

    >>> fit_width(["epoch 1/9", "val loss 0.4", "val f1 0.9", "train loss 0.5", "3 s, 24 s left"], 55)
    'epoch 1/9  val loss 0.4  val f1 0.9  3 s, 24 s left'
    """
    epoch, loss, score, train, time = words
    choices = ([epoch, loss, score, train, time], [epoch, loss, score, time], [epoch, score, time], [epoch, time])
    lines = ["  ".join(filter(None, choice)) for choice in choices]
    return next((line for line in lines if len(line) <= width), lines[-1])


def _of_validation(name: str, value: Any) -> str:
    return "" if value is None else f"val {name} {format_number(float(value))}"


def _terminal_line() -> Any:
    """Start rich's display of one line that changes."""
    from rich.progress import Progress, TextColumn

    line = Progress(TextColumn("{task.description}", markup=False))
    line.start()
    line.add_task("epoch 1")
    return line
