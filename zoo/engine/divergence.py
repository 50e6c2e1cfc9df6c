"""Stop a training that diverged."""

import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from zoo.core.errors import DivergedError


class Divergence(Callback):
    """Raises DivergedError where weights, a loss or a metric became NaN or infinite, before anything of it is saved.

    It looks at the end of each epoch and before each checkpoint. A metric that was never defined, such as R2 of
    constant targets, does not count.

    Args:
        rollback: factor on the learning rate for each time that the training diverged.
        times: how often it did so far; a checkpoint knows of those before it.
    """

    def __init__(self, rollback: float = 1.0, times: int = 0):
        self.rollback, self.times = rollback, times
        self._defined: set[str] = set()

    @property
    def lr_factor(self) -> float:
        """What the config's learning rates are multiplied by."""
        return self.rollback**self.times

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
