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

    Where a training diverges and returns to its best epoch the clock goes on: one object serves all tries.

    Args:
        path: of the file.

    Attributes:
        seconds: of fitting so far, those before the checkpoint that this process resumed from included.
        resumed: seconds before that checkpoint.
        best_epoch: with the lowest validation loss, if any was validated.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.resumed = self._resumed_epoch = self._epoch_start = 0.0
        self._start: float | None = None

    @property
    def seconds(self) -> float:
        return self.resumed + (0.0 if self._start is None else time.perf_counter() - self._start)

    @property
    def best_epoch(self) -> int | None:
        validated = [row for row in self.rows if "val/loss" in row]
        return int(min(validated, key=lambda row: row["val/loss"])["epoch"]) if validated else None

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._start is None:
            self._start = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_start, self._resumed_epoch = time.perf_counter() - self._resumed_epoch, 0.0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        metrics: dict[str, Any] = {**epoch_metrics(trainer), "train/loss": training_loss(trainer, module)}
        values = {name: float(value) for name, value in sorted(metrics.items())}
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
        self.rows, self._resumed_epoch = state_dict["rows"], state_dict["seconds"]["epoch"]
        if self._start is None:
            self.resumed = state_dict["seconds"]["training"]


def training_loss(trainer: L.Trainer, module: Any) -> float:
    """Return the mean training loss of an epoch that ends; one cut short by a budget has logged none of its own."""
    logged = None if trainer.should_stop else epoch_metrics(trainer).get("train/loss")
    return float(module.mean_loss if logged is None else logged)


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
