"""metrics.csv: one row of metrics an epoch."""

import csv
import io
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from zoo.core.atomic_files import write_text


class History(Callback):
    """Writes one row an epoch to a CSV file; a resumed run continues its rows.

    Args:
        path: of the file.

    Attributes:
        seconds: of the training so far, those before the checkpoint resumed from included.
        resumed: seconds before the checkpoint resumed from.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.resumed = self._resumed_epoch = 0.0
        self._start = self._epoch_start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start + self.resumed

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_start, self._resumed_epoch = time.perf_counter() - self._resumed_epoch, 0.0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        values = {"train/loss": module.mean_loss}  # logged only where the epoch was not cut short
        values |= {name: float(value) for name, value in sorted(epoch_metrics(trainer).items())}
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        seconds = time.perf_counter() - self._epoch_start
        self.rows.append(
            {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "lr": lr, **values, "seconds": seconds}
        )
        self._epoch_start += seconds
        if trainer.is_global_zero:
            write_text(self.path, _as_csv(self.rows))

    def state_dict(self) -> dict[str, Any]:
        epoch = time.perf_counter() - self._epoch_start
        return {"rows": self.rows, "seconds": {"training": self.seconds, "epoch": epoch}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        seconds = state_dict["seconds"]
        self.rows, self.resumed, self._resumed_epoch = state_dict["rows"], seconds["training"], seconds["epoch"]


def epoch_metrics(trainer: L.Trainer) -> dict[str, Tensor]:
    """The metrics of this epoch, without those of an earlier validation where it was not validated."""
    every = trainer.check_val_every_n_epoch
    validated = trainer.enable_validation and (every is None or (trainer.current_epoch + 1) % every == 0)
    return {name: value for name, value in trainer.callback_metrics.items() if validated or not name.startswith("val/")}


def _as_csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
