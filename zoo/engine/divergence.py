"""The end of a training that diverged, or its way back."""

import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from zoo.core.errors import DivergedError


class Divergence(Callback):
    """Raises DivergedError where weights, a loss or a metric became NaN or infinite, before anything of it is saved.

    It looks at the end of an epoch and before each checkpoint. A metric that never was defined, such as R2 of constant
    targets, is none.

    Args:
        rate: what the learning rate is multiplied by for each time that the training diverged.
        times: how often it did; a checkpoint knows of those before it.
    """

    def __init__(self, rate: float = 1.0, times: int = 0):
        self.rate, self.times = rate, times
        self._defined: set[str] = set()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the optimiser's options as the config has them, and the place in its schedule, where a checkpoint brought
        others; rates are lower for each time that the training diverged."""
        module: Any = pl_module
        (optimizer,), (entry,) = trainer.optimizers, trainer.lr_scheduler_configs
        schedule: Any = entry.scheduler
        schedule.last_epoch = module.n_done
        schedule.base_lrs = [options["initial_lr"] * self.rate**self.times for options in module.group_options]
        groups = zip(optimizer.param_groups, module.group_options, strict=True)
        for (group, options), lr, shape in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
            group.update(options, initial_lr=lr, lr=lr * shape(schedule.last_epoch))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for name, value in sorted(trainer.callback_metrics.items()):
            if math.isfinite(value):
                self._defined.add(name)
            elif name.endswith("/loss") or name in self._defined:
                self._stop(trainer, f"{name} became {float(value)}")
        self._check_weights(trainer, pl_module)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        self._check_weights(trainer, pl_module)

    def _check_weights(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        with torch.no_grad():
            sums = torch.stack([weight.detach().float().sum() for weight in pl_module.parameters()])
        if not bool(sums.isfinite().all()):
            self._stop(trainer, "weights became NaN or infinite")

    def _stop(self, trainer: L.Trainer, what: str) -> None:
        raise DivergedError(
            f"{what} in epoch {trainer.current_epoch + 1}; the best checkpoint is kept\n"
            "a lower optim.lr, optim.clip=1 or trainer.rollback=0.5 usually helps",
            self.times,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"times": self.times, "defined": sorted(self._defined)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.times, self._defined = max(self.times, state_dict["times"]), set(state_dict["defined"])
