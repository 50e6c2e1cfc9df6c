"""Base of the tasks with one of several classes at each step of a sequence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.core.spec import IGNORE_INDEX, DataSpec

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import Scale, Task
from zoo.tasks.classification import log_mean_softmax
from zoo.tasks.losses import find_loss


class StepClasses(Task):
    """Base of the tasks with one of several classes at each step: logits (batch, time, n_classes), and as targets
    classes (batch, time), IGNORE_INDEX where a step has none, such as padding.

    Args:
        spec: the data set's.
        loss: "cross_entropy" or another of classification, see `zoo.tasks.losses`.
        metrics: names of further metrics.
    """

    family, metric_prefix = "classification", "Multiclass"
    target = "int64", 1
    has_classes = per_step = True

    def __init__(self, spec: DataSpec, loss: str = "cross_entropy", metrics: Sequence[str] = ()) -> None:
        super().__init__(spec, metrics)
        self._loss = find_loss(self.family, loss)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The chosen loss, in nats a step, the mean over the steps that have a class."""
        return self._loss(output.float().flatten(0, 1), target.flatten())  # IGNORE_INDEX is torch's default

    def count(self, target: Tensor) -> Tensor:
        """The number of steps that have a class."""
        return (target != IGNORE_INDEX).sum()

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Update the metrics with the steps that have a class."""
        valid = target != IGNORE_INDEX
        metrics.update(output[valid], target[valid])

    def metric_input(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (n, n_classes) and classes (n,)."""
        return output.float().softmax(1), target

    def combine(self, outputs: Tensor) -> Tensor:
        """Logarithms of the members' mean probabilities, (batch, time, n_classes)."""
        return log_mean_softmax(outputs)


def step_counts(output: Tensor) -> list[int]:
    """The number of steps of each sequence, of outputs (batch, time, n) that are NaN after its end."""
    return (~output[..., 0].isnan()).sum(1).tolist()


def last_outputs(output: Tensor) -> Tensor:
    """The last output (batch, n) of each sequence, of outputs (batch, time, n) that are NaN after its end."""
    counts = (~output[..., 0].isnan()).sum(1)
    return output[torch.arange(len(output), device=output.device), counts - 1]
