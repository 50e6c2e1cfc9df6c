"""What all three families share in training: step, metrics, optimiser, and the moving average of weights."""

from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from torch import Tensor

from zoo.data.splits import Batch
from zoo.errors import UserError
from zoo.models import create_model
from zoo.modules.optim import create_optimizer, create_schedule
from zoo.registry import Registry
from zoo.spec import DataSpec
from zoo.tasks import create_task

MODULES: Registry[type["ZooModule"]] = Registry("family")


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
        data_spec = DataSpec.from_json(spec)
        choices = {key: value for key, value in model.items() if key != "name"}
        self.model = create_model(model["name"], data_spec, **choices)
        self.task = create_task(data_spec, **task)
        self.optim = optim
        self.val_metrics = self.task.metrics()
        self.loss_sum = torch.zeros(())
        self.n_seen: Tensor | int = 0

    def inputs(self, batch: Batch) -> Batch:
        """The batch less its target, as the model takes it."""
        return {name: value for name, value in batch.items() if name != "target"}

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss."""
        self._reset_loss()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch. Its sum stays on the device and is logged once, at the end of the epoch."""
        output = self.model.scaled(**self.inputs(batch))
        loss = self._loss(output, batch)
        if self.trainer.is_last_batch:
            self.log("train/loss", self.mean_loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Start the validation's mean loss, setting the training's aside."""
        self._train_loss, self._state = (self.loss_sum, self.n_seen), None
        self._reset_loss()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take one batch into the metrics."""
        output, self._state = self.model.carry(self._state, **self.inputs(batch))
        self._loss(output, batch)
        preprocess = self.model.preprocess
        restored = preprocess.restore(output.float())
        self.task.measure(self.val_metrics, restored, batch["target"], preprocess.scale_target)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole validation split."""
        totals = torch.stack([self.loss_sum, torch.as_tensor(self.n_seen, dtype=torch.float32, device=self.device)])
        loss, n = self.trainer.strategy.reduce(totals, reduce_op="sum")
        self.log("val/loss", loss / n)
        self.log_dict({f"val/{name}": value for name, value in self.val_metrics.compute().items()})
        self.val_metrics.reset()
        self.loss_sum, self.n_seen = self._train_loss

    @property
    def mean_loss(self) -> Tensor:
        """Mean loss of the epoch so far, a scalar."""
        return self.loss_sum / max(self.n_seen, 1)

    def _loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The mean loss of outputs on the network's scale, a scalar; taken into the epoch's mean."""
        loss = self.task.loss(output, self.model.preprocess.scale_target(batch["target"]))
        n = self.task.count(batch["target"])
        self.loss_sum = self.loss_sum + loss.detach() * n
        self.n_seen = self.n_seen + n
        return loss

    def _reset_loss(self) -> None:
        self.loss_sum, self.n_seen = torch.zeros((), device=self.device), 0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the epoch's loss so far, for a resume in mid-epoch."""
        checkpoint["epoch_loss"] = {"loss_sum": self.loss_sum.cpu(), "n_seen": int(self.n_seen)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from the loss that `on_save_checkpoint` kept."""
        self.loss_sum = checkpoint["epoch_loss"]["loss_sum"].to(self.device)
        self.n_seen = checkpoint["epoch_loss"]["n_seen"]

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule advanced once a step."""
        optimizer = create_optimizer(self.model, **{k: v for k, v in self.optim.items() if k not in _NOT_OPTIMIZER})
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = create_schedule(optimizer, steps, **self.optim["schedule"])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm of the whole gradient; Lightning's own refuses fused optimisers under mixed precision."""
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), gradient_clip_val)

    def configure_callbacks(self) -> list[Callback]:
        """The moving average of weights, which validation and the release file then use."""
        decay = self.optim["ema"]
        if decay is None:
            return []
        if not isinstance(decay, float) or not 0 < decay < 1:
            raise UserError(f"optim.ema is a decay between 0 and 1, such as 0.99, or null; got {decay}")
        return [EMAWeightAveraging(decay=decay, device=self.trainer.strategy.root_device)]


_NOT_OPTIMIZER = ("schedule", "ema", "clip")
