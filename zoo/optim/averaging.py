"""Averages of weights over a training."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Averages weights and buffers exponentially after each update; validation and checkpoints use the average.

    Args:
        decay: share of the average that an update keeps, between 0 and 1.
        device: to hold the average on.
    """

    def __init__(self, decay: float, device: torch.device):
        self._average = get_ema_multi_avg_fn(decay)
        super().__init__(device=device, multi_avg_fn=self._average)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Create the average."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self._average_model.update_parameters = self._update  # type: ignore[union-attr, method-assign]

    def _update(self, model: nn.Module) -> None:
        """Do what `AveragedModel.update_parameters` does. That asks the device for the number of updates so far, and so
        waits for all work under way."""
        average: Any = self._average_model
        pairs = list(zip(_values(average.module), _values(model), strict=True))
        if self._latest_update_step == 0:
            for own, new in pairs:
                own.copy_(new)
        else:
            floating = [pair for pair in pairs if pair[0].is_floating_point()]
            self._average(*map(list, zip(*floating, strict=True)), 0)
            for own, new in pairs:
                if not own.is_floating_point():
                    own.copy_(new)  # codes and counts, which have no mean
        average.n_averaged += 1


def _values(model: nn.Module) -> list[Tensor]:
    return [value.detach() for value in (*model.parameters(), *model.buffers())]


class Lookahead(Callback):
    """Every few updates, moves a slow copy of the weights a part of the way to them, and the weights back to it (M.
    Zhang et al., arXiv 1907.08610). The slow copy keeps a share of itself that grows with the cube of the progress, to
    0.95 for each update (K. Jordan, arXiv 2404.00498, section 3.4).
    Deviation: BatchNorm's means and variances have no slow copy, and the last weights are the fast ones.

    Args:
        every: updates between two moves.
    """

    def __init__(self, every: int):
        self.every = every
        self.n = 0  # updates so far
        self.slow: list[Tensor] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Start from the weights, or continue from a checkpoint's slow ones."""
        fast = list(pl_module.parameters())
        slow = self.slow or fast
        self.slow = [one.detach().clone().to(weight.device) for one, weight in zip(slow, fast, strict=True)]
        self.n_updates = pl_module.n_updates

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        """Count an update, and move the weights when it is time."""
        if not pl_module.updated:
            return
        self.n += 1
        if self.n % self.every == 0:
            share = 1 - 0.95**self.every * min(self.n / self.n_updates, 1) ** 3
            with torch.no_grad():
                for slow, fast in zip(self.slow, pl_module.parameters(), strict=True):
                    fast.copy_(slow.lerp_(fast, share))

    def state_dict(self) -> dict[str, Any]:
        """The number of updates and the slow weights."""
        return {"n": self.n, "slow": self.slow}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        self.n, self.slow = state_dict["n"], state_dict["slow"]
