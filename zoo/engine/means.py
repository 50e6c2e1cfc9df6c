"""Mean losses over batches and over processes."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightning as L
import torch
from torch import Tensor


@dataclass
class MeanLoss:
    """A running mean over batches, kept on their device, so that a step does not wait for it."""

    sum: Tensor | float = 0.0
    n: Tensor | float = 0

    def add(self, loss: Tensor, n: Tensor | float) -> None:
        """Add a batch's mean loss over `n` targets."""
        self.sum, self.n = self.sum + loss * n, self.n + n

    def totals(self, device: torch.device) -> Tensor:
        """The sum and the number of targets, (2,), float32. Numbers are filled in there: a copy would wait."""
        parts = (self.sum, self.n)
        return torch.stack(
            [part.float() if isinstance(part, Tensor) else torch.full((), float(part), device=device) for part in parts]
        )

    def mean(self) -> Tensor | float:
        """The mean so far; 0 before the first batch."""
        return self.sum / (self.n or 1)


def mean_over_processes(losses: Sequence[MeanLoss], trainer: L.Trainer) -> Tensor:
    """Means over the targets of all processes, (n_losses,)."""
    totals = torch.stack([loss.totals(trainer.strategy.root_device) for loss in losses])  # (n_losses, 2)
    sums, n = trainer.strategy.reduce(totals, reduce_op="sum").T
    return sums / n


def weigh_by_share(loss: Tensor, n: Tensor | int, world_size: int) -> Tensor:
    """Weigh a process's mean loss by its share of the targets.

    The mean of the processes' gradients is then that over all targets, also where a batch cannot be shared equally.

    Args:
        loss: mean over this process's targets, a scalar.
        n: these targets, counted or weighed.
        world_size: processes.
    """
    own = torch.as_tensor(n, dtype=torch.float64, device=loss.device)
    total = own.clone()
    torch.distributed.all_reduce(total)
    return loss * (own * world_size / total).float()
