"""What all three families share in training: step, metrics, optimiser, and the moving average of weights."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.core.spec import DataSpec
from zoo.data.splits import Batch
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.distillation import Distillation
from zoo.engine.sharding import shard
from zoo.engine.stacked import Stacked
from zoo.models import create_model
from zoo.models.model import Model
from zoo.optim.averaging import Lookahead, MovingAverage
from zoo.optim.factory import OPTIONAL, create_optimizer, with_optional
from zoo.optim.muon import Both
from zoo.optim.schedules import create_schedule
from zoo.optim.sharpness import at_worst
from zoo.tasks import create_task

MODULES: Registry[type["ZooModule"]] = Registry("family", "MODULES", Path(__file__).parent)


@dataclass
class MeanLoss:
    """A mean over batches, summed on their device without waiting for it."""

    sum: Tensor | float = 0.0
    n: Tensor | float = 0

    def add(self, loss: Tensor, n: Tensor | float) -> None:
        """Take in a batch's mean loss, the mean of `n` answers."""
        self.sum, self.n = self.sum + loss * n, self.n + n


class ZooModule(L.LightningModule):
    """A model in training. All arguments are plain JSON, so a checkpoint rebuilds it without running foreign code.

    Args:
        model: {"name": architecture, ...its keywords}.
        spec: a `DataSpec` as JSON.
        task: options of the spec's task; None keeps the default.
        optim: {"name", "lr", ...} of the optimiser; "schedule": {"name", "warmup", ...}; "ema": decay of the moving
            average of weights, or None; "lookahead": updates after which weights go back a part of their way, or None;
            "clip": largest norm of the gradient, or None; "sam": radius in which the loss is to be low everywhere, or
            None.
    """

    def __init__(
        self, *, model: Mapping[str, Any], spec: Mapping[str, Any], task: Mapping[str, Any], optim: Mapping[str, Any]
    ):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False  # a group's batches are several updates
        data_spec = DataSpec.from_json(spec)
        choices = {key: value for key, value in model.items() if key != "name"}
        self.model: Model | Stacked = create_model(model["name"], data_spec, **choices)
        self.task = create_task(data_spec, **task)
        self.optim = with_optional(optim)
        self.val_metrics: Any = torch.nn.ModuleList([self.task.metrics()])
        self.accumulate, self.on_its_own, self.sharded = 1, False, False
        self.loss, self.val_losses = MeanLoss(), [MeanLoss()]
        self.distillation: Distillation | None = None

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, map_location: Any = None, **_: Any) -> Self:  # type: ignore[override]
        """Build the module that a checkpoint is of, with its weights; Lightning's own would unpickle the file."""
        checkpoint = SafeCheckpointIO().load_checkpoint(checkpoint_path, map_location)
        module = cls(**checkpoint["hyper_parameters"])
        module.load_state_dict(checkpoint["state_dict"])
        return module

    def stack(self, models: Sequence[Model]) -> None:
        """Train several models at once; a batch then holds one batch for each, in turn."""
        self.model = Stacked(models)
        self.val_metrics = torch.nn.ModuleList([self.task.metrics() for _ in models])

    def model_of(self, index: int) -> Model:
        """One of the models in training, a copy."""
        choices = dict(self.hparams["model"])
        model = create_model(choices.pop("name"), self.task.spec, **choices)
        model.load_state_dict(self.model.state_of(index))
        return model

    def inputs(self, batch: Batch) -> Batch:
        """The inputs of a batch, without the steps that are padding in every sequence.

        On a GPU these steps stay: to know the longest sequence would wait for all work under way.
        """
        inputs = {name: value for name, value in batch.items() if name != "target"}
        lengths = inputs.get("lengths")
        if lengths is None or lengths.is_cuda:
            return inputs
        longest = int(lengths.max())
        padded = [name for name, value in self.task.spec.inputs.items() if value.shape[:1] == (None,)]
        return {name: value[:, :longest] if name in padded else value for name, value in inputs.items()}

    def on_fit_start(self) -> None:
        """Bring a teacher to the student's device."""
        if self.distillation is not None:
            self.distillation.teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss."""
        self.loss = MeanLoss()

    def training_step(self, group: Batch, batch_idx: int) -> None:
        """Train on each batch of a group: one update of the weights after every `accumulate` of them, and at its end,
        by the mean of their gradients.

        Losses are summed on the device and logged once an epoch. A module that is `on_its_own` tells Lightning of
        updates by their number alone.
        """
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        n_batches = 1 if self._data is None else self._data.batches.n_parts(batch_idx)
        for n, batch in enumerate(self._steps(group, batch_idx)):
            n_left = n_batches - n + n % self.accumulate  # from this update's first on
            scale = self.model.n_models / min(self.accumulate, n_left)
            self._descend(batch, scale, self.loss)
            if self.optim["sam"]:
                with at_worst(self.model, self.optim["sam"]):
                    self._descend(batch, scale, MeanLoss())
            if n + 1 == n_batches or (n + 1) % self.accumulate == 0:
                self._update(optimizer, schedule)
        if self.trainer.is_last_batch:
            self.log("train/loss", self._over_processes([self.loss])[0], on_step=False, on_epoch=True, batch_size=1)

    def _steps(self, group: Batch, number: int) -> Iterable[Batch]:
        return [group] if self._data is None else self._data.steps(group, number)

    @property
    def _data(self) -> Any:
        """The data module; None where a loader of another kind is trained on."""
        trainer: Any = self.trainer
        return trainer.datamodule

    def _descend(self, batch: Batch, scale: float, mean: MeanLoss) -> None:
        """Add the gradient of a batch's loss times `scale`."""
        inputs = self.inputs(batch)
        output = self.model.scaled(**inputs)
        loss_of = self._weighted_loss if self.task.weighted else self._loss
        target = batch["target"]
        loss = self._share(loss_of(output, target, mean), self.task.count, target)
        if self.distillation is not None:
            distance = self.distillation.distance(output, inputs, self.model)
            loss = self.distillation(loss, self._share(distance, len, target))
        if scale != 1:
            loss = loss * scale
        if self.on_its_own:
            loss.backward()
        else:
            self.manual_backward(loss)

    def _share(self, mean: Tensor, count: Callable[[Tensor], Tensor | int], target: Tensor) -> Tensor:
        """This process's mean over the `count` of its targets, so weighed that the plain mean over all processes, which
        they take of their gradients, is that over all targets: batches cannot always be shared equally."""
        if self.on_its_own or self.trainer.world_size == 1:
            return mean
        own = torch.as_tensor(count(target), dtype=torch.float64, device=self.device)
        total = own.clone()
        torch.distributed.all_reduce(total)
        return mean * (own * self.trainer.world_size / total).float()

    def _update(self, wrapped: Any, schedule: Any) -> None:
        """One step of the optimiser, which Lightning has wrapped, and of its schedule."""
        optimizer = wrapped.optimizer
        if self.optim["clip"]:
            self.model.clip_gradient(self.optim["clip"])
        if self.on_its_own:
            wrapped._on_before_step()
            optimizer.step()
            wrapped._on_after_step()
        else:
            wrapped.step()
        optimizer.zero_grad()
        schedule.step()

    def on_validation_epoch_start(self) -> None:
        """Start the validation's mean losses."""
        self.val_losses, self._state = [MeanLoss() for _ in self.val_metrics], None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take one batch into the metrics, of each model."""
        outputs, self._state = self.model.carry(self._state, **self.inputs(batch))
        preprocess = self.model.preprocess
        for output, loss, metrics in zip(
            outputs.chunk(self.model.n_models), self.val_losses, self.val_metrics, strict=True
        ):
            self._loss(output, batch["target"], loss)
            restored = preprocess.restore(output.float())
            self.task.measure(metrics, restored, batch["target"], preprocess.scale_target)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole validation split; of several models, their mean."""
        self.log("val/loss", self.val_means().mean())
        values = [metrics.compute() for metrics in self.val_metrics]
        self.log_dict({f"val/{name}": torch.stack([value[name] for value in values]).mean() for name in values[0]})
        for metrics in self.val_metrics:
            metrics.reset()

    def val_means(self) -> Tensor:
        """The mean loss on the validation split of each model, (n_models,)."""
        return self._over_processes(self.val_losses)

    def _over_processes(self, losses: Sequence[MeanLoss]) -> Tensor:
        """The means of all processes' answers together, (n_losses,)."""
        parts = [self._on_device(part) for loss in losses for part in (loss.sum, loss.n)]
        totals = torch.stack(parts).view(len(losses), 2)
        sums, n = self.trainer.strategy.reduce(totals, reduce_op="sum").T
        return sums / n

    def _on_device(self, value: Tensor | float) -> Tensor:
        """A number as a float32 tensor, made there, as a copy would wait for the device."""
        return value.float() if isinstance(value, Tensor) else torch.full((), float(value), device=self.device)

    @property
    def mean_loss(self) -> Tensor:
        """Mean loss of the epoch so far, a scalar."""
        return torch.as_tensor(self.loss.sum / (self.loss.n or 1), device=self.device)

    def _loss(self, output: Tensor, target: Tensor, mean: MeanLoss) -> Tensor:
        """The mean loss of outputs on the network's scale, a scalar; taken into `mean`."""
        loss = self.task.loss(output, self.model.preprocess.scale_target(target))
        mean.add(loss.detach(), self.task.count(target))
        return loss

    def _weighted_loss(self, output: Tensor, target: Tensor, mean: MeanLoss) -> Tensor:
        """`_loss` where samples do not weigh alike: the mean over the models, of each by its own batch's weights."""
        n = self.model.n_models
        parts = zip(output.chunk(n), target.chunk(n), strict=True)
        return torch.stack([self._loss(*part, mean) for part in parts]).mean()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the epoch's loss so far, for a resume in mid-epoch."""
        parts = torch.stack([self._on_device(part) for part in (self.loss.sum, self.loss.n)])
        total, n = self.trainer.strategy.reduce(parts, reduce_op="mean").tolist()  # each process goes on from its share
        checkpoint["epoch_loss"] = {"sum": total, "n": n}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from the loss that `on_save_checkpoint` kept."""
        self.loss = MeanLoss(**checkpoint["epoch_loss"])

    def configure_model(self) -> None:
        """Cut the weights over the processes, if they are to be."""
        if self.sharded:
            shard(self.model.network)

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule advanced once a step."""
        others = ("schedule", *OPTIONAL)
        optimizer = create_optimizer(self.model, **{k: v for k, v in self.optim.items() if k not in others})
        if self.sharded and isinstance(optimizer, Both):
            raise UserError("trainer=fsdp keeps the states of one optimiser, and optim=muon is two; use optim=adamw")
        if self.optim["sam"]:
            self._check_sam()
        schedule = create_schedule(optimizer, self.n_updates, **self.optim["schedule"])
        self.group_options = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def _check_sam(self) -> None:
        if self.accumulate > 1:
            raise UserError("optim.sam takes one batch an update; use trainer.accumulate_grad_batches=1")
        if self.model.n_models > 1:
            raise UserError("optim.sam trains one seed at a time; for several: -m seed=0,1")
        if self.sharded or self.trainer.world_size > 1:
            raise UserError("optim.sam trains on one device; use trainer.devices=1 trainer.strategy=auto")

    @property
    def n_updates(self) -> int:
        """Updates in the whole training, known once the data are."""
        trainer: Any = self.trainer
        n_groups = int(trainer.estimated_stepping_batches)
        if self._data is None:
            return n_groups  # of one update each
        a_group, an_epoch = self._updates
        return min(n_groups * a_group, trainer.max_epochs * an_epoch)

    @property
    def n_done(self) -> int:
        """Updates up to where the training is, if all were made as they are now: after a resume with batches of another
        size, or other data, the schedule goes on from the same place in the training."""
        if self._data is None:
            return self.trainer.global_step
        a_group, an_epoch = self._updates
        loop: Any = self.trainer.fit_loop
        groups = loop.epoch_loop.batch_progress.current.processed % len(self._data.batches)
        return loop.epoch_progress.current.processed * an_epoch + groups * a_group

    @property
    def _updates(self) -> tuple[int, int]:
        """In a group, and in an epoch."""
        a_group, an_epoch = (-(-n // self.accumulate) for n in (self._data.at_once, self._data.batches.n_taken))
        return a_group, an_epoch

    def configure_callbacks(self) -> list[Callback]:
        """What follows the weights: their moving average, which validation and the release file then use, and
        lookahead."""
        decay, every = self.optim["ema"], self.optim["lookahead"]
        for name, value in (("ema", decay), ("lookahead", every)):
            if self.sharded and value is not None:
                raise UserError(
                    f"trainer=fsdp cuts the weights that optim.{name}={value} needs whole; use optim.{name}=null"
                )
        return [
            *([] if every is None else [Lookahead(every)]),
            *([] if decay is None else [MovingAverage(decay, self.trainer.strategy.root_device)]),
        ]
