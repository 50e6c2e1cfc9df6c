"""The base of the LightningModules: training step, metrics, optimiser and checkpoint hooks.

The step is plain: one batch a call. Whatever is there for speed alone is in zoo/engine/speed, and `trainer.tricks=[]`
trains without it, to the same bits.
"""

from collections.abc import Mapping
from typing import Any, Self

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.core.spec import DataSpec
from zoo.data.splits import Batch
from zoo.engine._lightning import batches_done
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.distillation import Distillation
from zoo.engine.means import MeanLoss, mean_over_processes, weigh_by_share
from zoo.engine.sharding import shard
from zoo.engine.updates import n_updates
from zoo.models import check_fit, untrained_model
from zoo.models.model import Model
from zoo.optim.annealing import Annealing
from zoo.optim.averaging import Lookahead, MovingAverage
from zoo.optim.factory import OPTIONAL, complete_optim, create_optimizer
from zoo.optim.muon import CombinedOptimizer
from zoo.optim.schedules import Progress, create_schedule
from zoo.optim.sharpness import perturbed
from zoo.tasks import create_task

MODULES: Registry[type["ZooModule"]] = Registry("family", "MODULES")


class ZooModule(L.LightningModule):
    """A model in training. All arguments are plain JSON, so a checkpoint rebuilds it without running foreign code.

    Args:
        model: {"name": architecture, ...its keywords}.
        spec: a `DataSpec` as JSON.
        task: options of the spec's task; None keeps the default.
        optim: {"name", "lr", ...} of the optimiser; "schedule": {"name", "warmup", ...}; "anneal": the schedule of
            weight decay and dropout; "ema": decay of the moving average of weights; "lookahead": updates between two
            steps of the slow weights; "clip": largest norm of the gradient; "sam": radius of sharpness-aware
            minimisation. None switches each of the last five off.

    Attributes:
        accumulate: batches whose gradients make an update.
        sharded: whether each process holds a part of the weights.
        updated: whether the last batch ended with an update.
        progress: the share of the training that is done at each update.
    """

    n_models = 1

    def __init__(
        self, *, model: Mapping[str, Any], spec: Mapping[str, Any], task: Mapping[str, Any], optim: Mapping[str, Any]
    ):
        super().__init__()
        self.save_hyperparameters("model", "spec", "task", "optim")
        self.automatic_optimization = False  # `training_step` decides when to update
        data_spec = DataSpec.from_json(spec)
        check_fit(model["name"], data_spec)  # before the task, whose options a model's yaml may set
        self.task = create_task(data_spec, **task)
        self.model: Any = self.new_model()
        self.optim = complete_optim(optim)
        self.val_metrics: Any = self.task.metrics()
        self.train_loss, self.val_loss = MeanLoss(), MeanLoss()
        self.accumulate, self.sharded, self.updated = 1, False, False
        self.distillation: Distillation | None = None
        self.annealing: Annealing | None = None

    def new_model(self) -> Model:
        """An untrained model of this module's architecture."""
        options = dict(self.hparams["model"])
        return untrained_model(options.pop("name"), self.task.spec, combine=self.task.combine, choices=options)

    def model_of(self, index: int = 0) -> Model:
        """A copy of the model in training; of several seeds, of the one at `index`."""
        model = self.new_model()
        model.load_state_dict(self.model.state_dict())
        return model

    @property
    def n_candidates(self) -> int:
        """Training rows that a retrieval network searches for each batch, which then holds `row`, its samples' numbers
        in the training split; 0 for other networks."""
        candidates = getattr(self.model.network, "candidates", None)
        return 0 if candidates is None else candidates.n_drawn(self.model.network.share)

    def inputs(self, batch: Batch) -> Batch:
        """The inputs of a batch."""
        return {name: value for name, value in batch.items() if name != "target"}

    def without_padding(self, batch: Batch) -> Batch:
        """The batch without the steps that are padding in every sequence.

        On a GPU these steps stay: to know the longest sequence would wait for all work under way.
        """
        lengths = batch.get("lengths")
        if lengths is None or lengths.is_cuda:
            return batch
        longest, spec = int(lengths.max()), self.task.spec
        parts = {**spec.inputs, "target": spec.target}
        padded = [name for name, part in parts.items() if part.shape[:1] == (None,)]
        return {name: value[:, :longest] if name in padded else value for name, value in batch.items()}

    # -- training

    def on_fit_start(self) -> None:
        """Move the teacher to the student's device."""
        if self.distillation is not None:
            self.distillation.teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss."""
        self.train_loss = MeanLoss()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on one batch: add its gradient, and update the weights where `accumulate` gradients are added up.

        The last update of an epoch may be of fewer batches. The loss is logged once an epoch.
        """
        data, n_batches = self.trainer.datamodule, self.n_batches()  # type: ignore[attr-defined]
        if data is not None:
            batch = data.prepare(batch, batch_idx)
        if self.annealing is not None:
            self.annealing(self.progress(self.lr_schedulers().last_epoch), self.group_options)  # type: ignore[union-attr]
        first = batch_idx - batch_idx % self.accumulate  # batch of this update
        share = 1 / min(self.accumulate, n_batches - first)
        self.add_gradient(batch, share, self.train_loss)
        if self.optim["sam"]:
            with perturbed(self.model, self.optim["sam"]):
                self.add_gradient(batch, share, MeanLoss())
        is_last = batch_idx + 1 == n_batches
        self.updated = is_last or (batch_idx + 1) % self.accumulate == 0
        if self.updated:
            self.update()
        if is_last:
            loss = mean_over_processes([self.train_loss], self.trainer)[0]
            self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=1)

    def add_gradient(self, batch: Batch, share: float, mean: MeanLoss) -> None:
        """Add the gradient of `share` of a batch's loss, and the loss itself to `mean`."""
        batch = self.without_padding(batch)
        inputs = self.inputs(batch)
        output, target = self.outputs_and_targets(inputs, batch["target"])
        loss = self.loss_of(output, target, mean)
        if self.trainer.world_size > 1:
            loss = weigh_by_share(loss, self.task.count(target), self.trainer.world_size)
        if self.distillation is not None:
            loss = self._taught(loss, output, inputs)
        self.manual_backward(loss if share == 1 else loss * share)

    def outputs_and_targets(self, inputs: Batch, target: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs on the network's scale of each member that is trained, and the target of its sample for each,
        both (batch * n_members, ...): the loss to train on is the mean of theirs."""
        output = self.model.member_outputs(**inputs)
        return output, repeat_rows(target, len(output) // len(target))

    def _taught(self, loss: Tensor, output: Tensor, inputs: Batch) -> Tensor:
        """The loss, a scalar, with the distance from the teacher."""
        assert self.distillation is not None
        inputs = {name: inputs[name] for name in self.task.spec.inputs}  # all that the teacher takes
        distance = self.distillation.distance(output, inputs, self.model)
        if self.trainer.world_size > 1:
            distance = weigh_by_share(distance, len(output), self.trainer.world_size)
        return self.distillation(loss, distance)

    def loss_of(self, output: Tensor, target: Tensor, mean: MeanLoss) -> Tensor:
        """The mean loss of outputs on the network's scale, a scalar, which is added to `mean`."""
        loss = self.task.loss(output, self.model.preprocess.scale_target(target))
        mean.add(loss.detach(), self.task.count(target))
        return loss

    def update(self) -> None:
        """Update the weights by the gradient, and the learning rate."""
        optimizer: Any = self.optimizers()
        if self.optim["clip"]:
            self.clip(self.optim["clip"])
        optimizer.step()
        optimizer.zero_grad()
        self.lr_schedulers().step()  # type: ignore[union-attr]

    def clip(self, largest: float) -> None:
        """Scale the whole gradient down to the norm `largest` where it is larger."""
        nn.utils.clip_grad_norm_(self.model.parameters(), largest)

    @property
    def n_updates(self) -> int:
        """Updates in the whole training; fewer once it is to end early."""
        return self.progress.n_steps

    def n_batches(self) -> int:
        """Batches of an epoch, those that `trainer.limit_train_batches` leaves."""
        return int(self.trainer.num_training_batches)

    def batches_done(self) -> int:
        """Batches of the present epoch that are done."""
        return batches_done(self.trainer)

    @property
    def mean_loss(self) -> float:
        """Mean training loss of the epoch so far; waits for the device."""
        return float(self.train_loss.mean())

    # -- validation

    def on_validation_epoch_start(self) -> None:
        """Start the validation's mean loss, and the state that is carried from batch to batch."""
        self.val_loss, self._state = MeanLoss(), None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Update loss and metrics with one batch."""
        batch = self.without_padding(batch)
        output, self._state = self.model.carry(self._state, **self.inputs(batch))
        self.measure(output, batch["target"], self.val_loss, self.val_metrics)

    def measure(self, output: Tensor, target: Tensor, mean: MeanLoss, metrics: Any) -> None:
        """Update a mean loss and metrics with outputs on the network's scale."""
        preprocess = self.model.preprocess
        self.loss_of(output, target, mean)
        self.task.measure(metrics, preprocess.restore(output.float()), target, preprocess.scale_target)

    def on_validation_epoch_end(self) -> None:
        """Log loss and metrics of the whole validation split."""
        self.log("val/loss", mean_over_processes([self.val_loss], self.trainer)[0])
        self.log_dict({f"val/{name}": value for name, value in self.val_metrics.compute().items()})
        self.val_metrics.reset()

    # -- checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the epoch's loss so far, for a resume in mid-epoch; each process continues from the mean of all."""
        totals = self.trainer.strategy.reduce(self.train_loss.totals(self.device), reduce_op="mean")
        checkpoint["epoch_loss"] = dict(zip(("sum", "n"), totals.tolist(), strict=True))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from the loss that `on_save_checkpoint` saved."""
        self.train_loss = MeanLoss(**checkpoint["epoch_loss"])

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, map_location: Any = None, **_: Any) -> Self:  # type: ignore[override]
        """Rebuild a module from its checkpoint; Lightning's own method would unpickle the file."""
        checkpoint = SafeCheckpointIO().load_checkpoint(checkpoint_path, map_location)
        module = cls(**checkpoint["hyper_parameters"])
        module.load_state_dict(checkpoint["state_dict"])
        return module

    # -- the optimiser, and what follows the weights

    def configure_model(self) -> None:
        """Shard the weights over the processes with trainer=fsdp."""
        if self.sharded:
            shard(self.model.network)

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule, which `update` advances."""
        self._check_optim()
        others = ("schedule", *OPTIONAL)
        optimizer = create_optimizer(self.model, **{k: v for k, v in self.optim.items() if k not in others})
        if self.sharded and isinstance(optimizer, CombinedOptimizer):
            raise UserError("trainer=fsdp keeps the states of one optimiser, and optim=muon is two; use optim=adamw")
        self.progress = Progress(n_updates(self))
        schedule = create_schedule(optimizer, self.progress, **self.optim["schedule"])
        if self.optim["anneal"]:
            self.annealing = Annealing(self.optim["anneal"], optimizer, self.model.layers())
        self.group_options = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def configure_callbacks(self) -> list[Callback]:
        """The moving average of weights, which validation and the weights file then use, and lookahead."""
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

    def _check_optim(self) -> None:
        """Raise UserError where sharpness-aware minimisation cannot be combined with the rest of the training."""
        if not self.optim["sam"]:
            return
        if self.accumulate > 1:
            raise UserError("optim.sam takes one batch an update; use trainer.accumulate_grad_batches=1")
        if self.n_models > 1:
            raise UserError("optim.sam trains one seed at a time; for several: -m seed=0,1")
        if self.sharded or self.trainer.world_size > 1:
            raise UserError("optim.sam trains on one device; use trainer.devices=1 trainer.strategy=auto")


def repeat_rows(values: Tensor, n: int) -> Tensor:
    """Repeat each row of values (batch, ...) n times, (batch * n, ...)."""
    return values if n == 1 else values[:, None].expand(-1, n, *values.shape[1:]).flatten(0, 1)
