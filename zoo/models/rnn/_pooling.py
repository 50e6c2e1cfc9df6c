"""Pooling of hidden states over time: of all steps at once, or step by step with a small state."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.registry import Registry

POOLINGS: Registry[type["Pooling"]] = Registry("pooling", "POOLINGS")


class Pooling(nn.Module):
    """Pools (batch, time, width) under a mask (batch, time) to (batch, width); `step` does the same step by step.

    Args:
        width: of the hidden states of all directions.
        n_directions: 2 if the second half of the states was computed backwards.
    """

    def __init__(self, width: int, n_directions: int = 1):
        super().__init__()
        self.n_directions = n_directions

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        """Pool each sequence."""
        raise NotImplementedError

    def step(self, hidden: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the pooled vector after one more step (batch, width), and the new state."""
        raise NotImplementedError


@POOLINGS.register("none")
class EachStep(Pooling):
    """No pooling: forward returns all steps, (batch, time, width)."""

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        return hidden

    def step(self, hidden: Tensor, state: Any) -> tuple[Tensor, Any]:
        return hidden, None


@POOLINGS.register("last")
class Last(Pooling):
    """The state of each direction after the whole sequence: at the last valid step, and at the first backwards."""

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        forward, *backward = hidden.chunk(self.n_directions, dim=2)  # (batch, time, width / n_directions) each
        last = forward[torch.arange(len(hidden), device=hidden.device), valid.sum(1) - 1]
        return torch.cat([last, *(states[:, 0] for states in backward)], dim=1)

    def step(self, hidden: Tensor, state: Any) -> tuple[Tensor, Any]:
        return hidden, None


@POOLINGS.register("mean")
class Mean(Pooling):
    """The mean over valid steps."""

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        return (hidden * valid[:, :, None]).sum(1) / valid.sum(1, keepdim=True)

    def step(self, hidden: Tensor, state: Any) -> tuple[Tensor, Any]:
        total, count = state or (torch.zeros_like(hidden), 0)
        total, count = total + hidden, count + 1
        return total / count, (total, count)


@POOLINGS.register("max")
class Max(Pooling):
    """The largest value of each unit over valid steps."""

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        return hidden.masked_fill(~valid[:, :, None], -torch.inf).amax(1)

    def step(self, hidden: Tensor, state: Any) -> tuple[Tensor, Any]:
        largest = hidden if state is None else torch.maximum(hidden, state)
        return largest, largest


@POOLINGS.register("attention")
class Attention(Pooling):
    """A mean weighted by the softmax of a learnt score for each step; `step` keeps running sums of the softmax."""

    def __init__(self, width: int, n_directions: int = 1):
        super().__init__(width, n_directions)
        self.score = nn.Linear(width, 1)

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        scores = self.score(hidden).squeeze(2).masked_fill(~valid, -torch.inf)  # (batch, time)
        return (hidden * scores.softmax(1)[:, :, None]).sum(1)

    def step(self, hidden: Tensor, state: Any) -> tuple[Tensor, Any]:
        score = self.score(hidden)  # (batch, 1)
        largest, total, weight = state or (score, torch.zeros_like(hidden), torch.zeros_like(score))
        new = torch.maximum(largest, score)
        decay, share = (largest - new).exp(), (score - new).exp()
        total, weight = total * decay + hidden * share, weight * decay + share
        return total / weight, (new, total, weight)
