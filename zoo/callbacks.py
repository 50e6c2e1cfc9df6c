"""What happens beside the training step: history, progress, early stopping, the best epoch of each of several models,
and the data."""

import csv
import io
import sys
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.callbacks import EarlyStopping as LightningsEarlyStopping
from torch import Tensor

from zoo.checkpoint import SafeCheckpointIO
from zoo.data.keys import Keys, fingerprints, told_changes, write_keys
from zoo.errors import UserError
from zoo.files import write_text
from zoo.run import Run
from zoo.terminal import print


class History(Callback):
    """Keeps one row an epoch and writes them all to `path` as CSV; a resumed run continues them.

    Attributes:
        seconds: that the training took so far, with those of the runs which this one resumes.
        resumed: of these, the seconds of the runs which this one resumes, until their checkpoint.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.resumed = self._of_epoch = 0.0
        self._start = self._epoch_start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start + self.resumed

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_start, self._of_epoch = time.perf_counter() - self._of_epoch, 0.0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        values = {"train/loss": float(module.mean_loss)}  # logged only where the epoch was not cut short
        values |= {name: float(value) for name, value in sorted(measured(trainer).items())}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        seconds = time.perf_counter() - self._epoch_start
        self.rows.append(
            {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "lr": rate, **values, "seconds": seconds}
        )
        self._epoch_start += seconds
        if trainer.is_global_zero:
            write_text(self.path, _as_csv(self.rows))

    def state_dict(self) -> dict[str, Any]:
        epoch = time.perf_counter() - self._epoch_start
        return {"rows": self.rows, "seconds": {"training": self.seconds, "epoch": epoch}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        seconds = state_dict["seconds"]
        self.rows, self.resumed, self._of_epoch = state_dict["rows"], seconds["training"], seconds["epoch"]


def measured(trainer: L.Trainer) -> dict[str, Tensor]:
    """The metrics of this epoch: without those of the validation split where it was not validated."""
    validated = trainer.fit_loop.epoch_loop._should_check_val_epoch()
    return {name: value for name, value in trainer.callback_metrics.items() if validated or not name.startswith("val/")}


def _as_csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Progress(Callback):
    """On a terminal one live bar for the whole training, with loss, score and time left; elsewhere a line an epoch.

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
        self._shown, self._score = time.perf_counter(), ""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module: Any = pl_module
        if self._bar and time.perf_counter() - self._shown > self.seconds:
            self._show(trainer, f"epoch {trainer.current_epoch + 1}  loss {float(module.mean_loss):.4f}{self._score}")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        values = measured(trainer)
        module: Any = pl_module
        score = module.task.score
        self._score = f"  val {score} {float(values[f'val/{score}']):.4f}" if f"val/{score}" in values else ""
        loss = float(values.get("train/loss", module.mean_loss))
        line = f"epoch {trainer.current_epoch + 1}  loss {loss:.4f}{self._score}"
        if self._bar:
            self._show(trainer, line)
        elif trainer.is_global_zero:
            print(line, flush=True)

    def _show(self, trainer: L.Trainer, line: str) -> None:
        self._bar.update(self._task, completed=trainer.global_step, description=line)
        self._shown = time.perf_counter()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "fit")


class EarlyStopping(LightningsEarlyStopping):
    """Lightning's, which stops when a metric no longer improves, and knows for each metric which way is better.

    Args:
        monitor: "val/loss", "train/loss", or a metric of the task, such as "val/accuracy".
        mode: "min" or "max", which a metric that another callback logs needs; None is what the metric itself says.
        options: as of Lightning's.
    """

    def __init__(self, monitor: str = "val/loss", mode: str | None = None, **options: Any):
        super().__init__(monitor, mode=mode or "min", **options)
        self._mode, self._options = mode, options

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._mode is None:
            super().__init__(self.monitor, mode=self._better(pl_module), **self._options)
        super().setup(trainer, pl_module, stage)

    def _better(self, module: Any) -> str:
        """Which way the monitored metric improves.

        Raises:
            UserError: for one that the training does not measure.
        """
        higher = {f"val/{name}": metric.higher_is_better for name, metric in module.val_metrics[0].items()}
        higher |= {"train/loss": False, "val/loss": False}
        if higher.get(self.monitor) is None:
            raise UserError(
                f"early stopping monitors one of {', '.join(sorted(higher))}; got {self.monitor}\n"
                "of another that a callback logs, callbacks.early_stopping.mode= says what is better, min or max"
            )
        return "max" if higher[self.monitor] else "min"


class BestOfEach(Callback):
    """Of several models trained at once, keeps the weights of the epoch in which each had its lowest validation loss.

    Attributes:
        epochs: these, from 1, of each model.
        values: the state of the stacked models.
    """

    def __init__(self) -> None:
        self.losses: Tensor | None = None
        self.epochs: list[int] = []
        self.values: dict[str, Tensor] = {}

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        losses, values = module.val_means(), module.model.state_dict()
        if self.losses is None:
            self.losses, self.epochs = losses, [trainer.current_epoch + 1] * len(losses)
            self.values = {name: value.clone() for name, value in values.items()}
            return
        self.losses = self.losses.to(losses.device)  # a checkpoint's are on the CPU
        for index in (losses < self.losses).nonzero().flatten().tolist():
            self.epochs[index], self.losses[index] = trainer.current_epoch + 1, losses[index]
            for name, value in values.items():
                if name.startswith("network."):
                    self.values[name][index] = value[index]

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses, "epochs": self.epochs, "values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses, self.epochs, self.values = (state_dict[key] for key in ("losses", "epochs", "values"))


class DataNoted(Callback):
    """Notes in each checkpoint which data it was trained on, and in the run folder the keys of all samples.

    From a checkpoint of other data a training goes on with its weights alone: which epoch is best, and when to stop
    early, is told anew.

    Args:
        run: of the training.
        keys: of the samples of each split, and of those that trainings on other data knew before.
    """

    def __init__(self, run: Run, keys: Keys):
        self.run, self.keys = run, keys
        self._told = fingerprints(keys)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["data"] = self._told

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if not told_changes(checkpoint.get("data", {}), self._told):
            return
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        scoring = ModelCheckpoint | LightningsEarlyStopping | BestOfEach
        scored = {one.state_key for one in callbacks if isinstance(one, scoring)}
        checkpoint["callbacks"] = {key: state for key, state in checkpoint["callbacks"].items() if key not in scored}
        best = self.run.checkpoints / "best.ckpt"
        if trainer.is_global_zero and best.exists():
            SafeCheckpointIO().remove_checkpoint(best)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            write_keys(self.run.samples, self.keys)
