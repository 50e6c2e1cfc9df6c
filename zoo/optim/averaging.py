"""Averages of weights over a training."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Averages weights and buffers exponentially, after each update; validation and checkpoints use the average.

    Args:
        decay: share of the average that an update keeps, between 0 and 1.
        device: to hold the average on.
    """

    def __init__(self, decay: float, device: torch.device):
        self._approach_kind = get_ema_multi_avg_fn(decay)
        super().__init__(device=device, multi_avg_fn=self._approach_kind)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Follow the optimiser itself: Lightning may see several updates as one."""
        average = self._average_model
        assert average is not None
        begun = bool(average.n_averaged)

        def follow(*_: Any) -> None:
            nonlocal begun
            if begun:
                self._approach(average.module, pl_module)
                average.n_averaged += 1
            else:
                average.update_parameters(pl_module)
                begun = True

        trainer.optimizers[0].register_step_post_hook(follow)

    def _approach(self, average: Any, module: L.LightningModule) -> None:
        """Do what `update_parameters` does, which asks the device for its number of updates and waits."""
        kinds: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        slow, fast = ([*one.parameters(), *one.buffers()] for one in (average, module))
        for one, other in zip(slow, fast, strict=True):
            ours, theirs = kinds.setdefault(one.dtype, ([], []))
            ours.append(one.detach())
            theirs.append(other.detach().to(one.device))
        for ours, theirs in kinds.values():
            self._approach_kind(ours, theirs, None)

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Nothing is left to do."""

    def on_train_epoch_end(self, *_: Any, **__: Any) -> None:
        """Nothing is left to do."""


class Lookahead(Callback):
    """Every few updates, moves a slow copy of the weights a part of the way to them, and the weights back to it (M.
    Zhang et al., arXiv 1907.08610). The slow copy keeps a share of itself that grows with the cube of the progress, to
    0.95 for each update (K. Jordan, arXiv 2404.00498, section 3.4).
    Deviation: BatchNorm's means and variances have no slow copy, and the last weights are the fast ones.

    Args:
        every: updates from one time to the next.
    """

    def __init__(self, every: int):
        self.every = every
        self.n = 0  # updates so far
        self.slow: list[Tensor] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start from the weights, or go on from what a checkpoint kept, and follow the optimiser itself."""
        module: Any = pl_module
        fast = [weight.detach() for weight in module.parameters()]
        kept = self.slow or fast
        self.slow = [slow.clone().to(weight.device) for slow, weight in zip(kept, fast, strict=True)]
        n_updates = module.n_updates

        def follow(*_: Any) -> None:
            self.n += 1
            if self.n % self.every == 0:
                share = 1 - 0.95**self.every * min(self.n / n_updates, 1) ** 3
                torch._foreach_lerp_(self.slow, fast, share)
                torch._foreach_copy_(fast, self.slow)

        trainer.optimizers[0].register_step_post_hook(follow)

    def state_dict(self) -> dict[str, Any]:
        """What a resume goes on from."""
        return {"n": self.n, "slow": self.slow}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what `state_dict` gave."""
        self.n, self.slow = state_dict["n"], state_dict["slow"]
