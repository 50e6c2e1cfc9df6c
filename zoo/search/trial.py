"""One trial of a search: a training whose validation loss is reported epoch by epoch, and which may be pruned."""

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.engine.history import epoch_metrics
from zoo.settings import compose
from zoo.training import train

LOG = "log.txt"  # what a trial's training prints
Report = Callable[[float, int], bool]  # takes a validation loss and its epoch; returns whether to stop


class Pruned(Exception):
    """A trial ended early, as others were better by then."""

    def __init__(self, epoch: int):
        super().__init__(f"pruned after epoch {epoch}")


class Pruning(Callback):
    """Reports the validation loss of each epoch, and ends the training with `Pruned` where it is told to."""

    def __init__(self, report: Report):
        self.report = report

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loss, epoch = epoch_metrics(trainer).get("val/loss"), trainer.current_epoch + 1
        if loss is not None and self.report(float(loss), epoch):
            raise Pruned(epoch)


class Log(io.TextIOBase):
    """Text for a trial's log; what is reported of the data, before the training begins, is shown too.

    Args:
        file: of the log.
        shown: where to show the beginning; None shows nothing.
    """

    def __init__(self, file: TextIO, shown: TextIO | None):
        self.file, self.shown = file, shown

    def write(self, text: str) -> int:
        """Write to the log."""
        if text.startswith("training "):
            self.shown = None
        if self.shown is not None:
            self.shown.write(text)
        return self.file.write(text)


def read_config(words: Sequence[str], folder: Path) -> tuple[dict[str, Any], Any]:
    """Return the config of a training, without its callbacks and loggers; and all that Hydra composed."""
    from omegaconf import OmegaConf

    composed = compose(*words)
    composed.run_dir = str(folder)
    config: Any = OmegaConf.to_container(composed, resolve=True)
    return {key: value for key, value in config.items() if key not in ("callbacks", "logger")}, composed


def run_trial(words: Sequence[str], folder: Path, report: Report, is_first: bool = False) -> float:
    """Train as the words say, or go on where a kill ended it, and return the validation loss of the weights kept.

    What the training prints goes to its log; of the first trial what is reported of the data is shown.

    Raises:
        Pruned: where `report` says so.
    """
    from hydra.utils import instantiate

    config, composed = read_config(["baseline=false", *words, "resume=auto"], folder)
    callbacks, loggers = (list(instantiate(composed[section]).values()) for section in ("callbacks", "logger"))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        open(folder / LOG, "a", encoding="utf-8") as file,
        contextlib.redirect_stdout(Log(file, sys.stdout if is_first else None)),
    ):
        pruning = [] if config["folds"] else [Pruning(report)]  # a fold's epochs are not those of a whole trial
        return float(train(config, folder, [*callbacks, *pruning], loggers)["val"]["loss"])
