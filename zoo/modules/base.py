"""What all three families share in training: step, metrics, optimiser, and the moving average of weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from zoo.data.splits import Batch
from zoo.errors import UserError
from zoo.models import create_model
from zoo.modules.average import MovingAverage
from zoo.modules.optim import create_optimizer, create_schedule
from zoo.registry import Registry
from zoo.spec import DataSpec
from zoo.tasks import create_task

MODULES: Registry[type["ZooModule"]] = Registry("family")


@dataclass
class MeanLoss:
    """A mean over batches, summed on their device without waiting for it."""

    sum: Tensor | float = 0.0
    n: Tensor | int = 0

    def add(self, loss: Tensor, n: Tensor | int) -> None:
        """Take in a batch's mean loss, the mean of `n` answers."""
        self.sum, self.n = self.sum + loss * n, self.n + n


class ZooModule(L.LightningModule):
    """A model in training. All arguments are plain JSON, so a checkpoint rebuilds it without running foreign code.

    Args:
        model: {"name": architecture, ...its keywords}.
        spec: a `DataSpec` as JSON.
        task: options of the spec's task; None keeps the default.
        optim: {"name", "lr", ...} of the optimiser; "schedule": {"name", "warmup", ...}; "ema": decay of the moving
            average of weights, or None.
    """

    def __init__(
        self, *, model: Mapping[str, Any], spec: Mapping[str, Any], task: Mapping[str, Any], optim: Mapping[str, Any]
    ):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False  # a group's batches are several updates
        data_spec = DataSpec.from_json(spec)
        choices = {key: value for key, value in model.items() if key != "name"}
        self.model = create_model(model["name"], data_spec, **choices)
        self.task = create_task(data_spec, **task)
        self.optim = optim
        self.val_metrics = self.task.metrics()
        self.accumulate, self.on_its_own = 1, False
        self.loss = MeanLoss()

    def inputs(self, batch: Batch) -> Batch:
        """The batch less its target, as the model takes it."""
        return {name: value for name, value in batch.items() if name != "target"}

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss."""
        self.loss = MeanLoss()

    def training_step(self, group: Batch, batch_idx: int) -> None:
        """Train on each batch of a group: one update of the weights after every `accumulate` of them, and at its end.

        Losses are summed on the device and logged once an epoch. A module that is `on_its_own` tells Lightning of
        updates by their number alone.
        """
        n = 0
        for n, batch in enumerate(self._steps(group, batch_idx), 1):
            loss = self._loss(self.model.scaled(**self.inputs(batch)), batch)
            self._backward(loss / self.accumulate if self.accumulate > 1 else loss)
            if n % self.accumulate == 0:
                self._update()
        if n % self.accumulate:
            self._update()
        if self.trainer.is_last_batch:
            self.log("train/loss", self.mean_loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)

    def _steps(self, group: Batch, number: int) -> Iterable[Batch]:
        return [group] if self._data is None else self._data.steps(group, number)

    @property
    def _data(self) -> Any:
        """The data module; None where a loader of another kind is trained on."""
        trainer: Any = self.trainer
        return trainer.datamodule

    def _backward(self, loss: Tensor) -> None:
        if self.on_its_own:
            loss.backward()
        else:
            self.manual_backward(loss)

    def _update(self) -> None:
        """One step of the optimiser and of its schedule."""
        wrapped: Any = self.optimizers()
        optimizer, schedule = wrapped.optimizer, cast(LRScheduler, self.lr_schedulers())
        if self.optim["clip"]:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.optim["clip"])
        if self.on_its_own:
            wrapped._on_before_step()
            optimizer.step()
            wrapped._on_after_step()
        else:
            wrapped.step()
        optimizer.zero_grad()
        schedule.step()

    def on_validation_epoch_start(self) -> None:
        """Start the validation's mean loss, setting the training's aside."""
        self._train_loss, self.loss, self._state = self.loss, MeanLoss(), None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take one batch into the metrics."""
        output, self._state = self.model.carry(self._state, **self.inputs(batch))
        self._loss(output, batch)
        preprocess = self.model.preprocess
        restored = preprocess.restore(output.float())
        self.task.measure(self.val_metrics, restored, batch["target"], preprocess.scale_target)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole validation split."""
        totals = torch.stack([torch.as_tensor(part, device=self.device) for part in (self.loss.sum, self.loss.n)])
        loss, n = self.trainer.strategy.reduce(totals.float(), reduce_op="sum")
        self.log("val/loss", loss / n)
        self.log_dict({f"val/{name}": value for name, value in self.val_metrics.compute().items()})
        self.val_metrics.reset()
        self.loss = self._train_loss

    @property
    def mean_loss(self) -> Tensor:
        """Mean loss of the epoch so far, a scalar."""
        return torch.as_tensor(self.loss.sum / max(self.loss.n, 1), device=self.device)

    def _loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The mean loss of outputs on the network's scale, a scalar; taken into the epoch's mean."""
        loss = self.task.loss(output, self.model.preprocess.scale_target(batch["target"]))
        self.loss.add(loss.detach(), self.task.count(batch["target"]))
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the epoch's loss so far, for a resume in mid-epoch."""
        checkpoint["epoch_loss"] = {"sum": float(self.loss.sum), "n": int(self.loss.n)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from the loss that `on_save_checkpoint` kept."""
        self.loss = MeanLoss(**checkpoint["epoch_loss"])

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule advanced once a step."""
        optimizer = create_optimizer(self.model, **{k: v for k, v in self.optim.items() if k not in _NOT_OPTIMIZER})
        schedule = create_schedule(optimizer, self.n_updates, **self.optim["schedule"])
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    @property
    def n_updates(self) -> int:
        """Updates in the whole training, known once the data are."""
        n_groups = int(self.trainer.estimated_stepping_batches)
        if not self.on_its_own:
            return n_groups
        n_batches = self._data.batches.n_batches
        return self.trainer.max_epochs * -(-n_batches // self.accumulate)

    def configure_callbacks(self) -> list[Callback]:
        """The moving average of weights, which validation and the release file then use."""
        decay = self.optim["ema"]
        if decay is None:
            return []
        if not isinstance(decay, float) or not 0 < decay < 1:
            raise UserError(f"optim.ema is a decay between 0 and 1, such as 0.99, or null; got {decay}")
        return [MovingAverage(decay, self.trainer.strategy.root_device)]


_NOT_OPTIMIZER = ("schedule", "ema", "clip")
