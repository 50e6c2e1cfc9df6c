"""Weight decay and dropout that follow a schedule."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from zoo.optim.schedules import SCHEDULES


class Annealing:
    """Multiplies weight decay and dropout by a schedule's factor (D. Holzmüller et al., arXiv 2407.04491, section 3).

    Args:
        schedule: its name, such as "flat_cosine".
        optimizer: whose weight decay to set.
        layers: of the network, those of dropout among them.
    """

    def __init__(self, schedule: str, optimizer: Optimizer, layers: Iterable[nn.Module]):
        self.factor, self.optimizer = SCHEDULES.get(schedule), optimizer
        self.dropouts = [(layer, layer.p) for layer in layers if isinstance(layer, nn.Dropout)]

    def __call__(self, progress: float, options: Sequence[Mapping[str, Any]]) -> None:
        """Set weight decay and dropout.

        Args:
            progress: the share of the training that is done.
            options: of the optimiser's groups, with the weight decay at a factor of 1.
        """
        factor = self.factor(progress)
        for group, own in zip(self.optimizer.param_groups, options, strict=True):
            group["weight_decay"] = own["weight_decay"] * factor
        for layer, p in self.dropouts:
            layer.p = p * factor
