"""Classification: one of several classes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import TASKS, Task, beside


@TASKS.register("classification")
class Classification(Task):
    """One of `n_outputs` classes, two or more, from as many logits. Two classes are two logits: their difference is
    the single logit of logistic regression, so the softmax here is its sigmoid.

    Args:
        spec: the data set's.
        label_smoothing: share of the target's probability that is spread over all classes.
        class_weights: a weight in the loss for each class, in the order of `spec.class_names`.
    """

    target = "int64", 0
    score, score_mode = "accuracy", "max"

    def __init__(
        self, spec: DataSpec, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__(spec)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing is at least 0 and below 1; got {label_smoothing}")
        if class_weights is not None and len(class_weights) != spec.n_outputs:
            raise UserError(
                f"task.class_weights has one weight for each of {spec.n_outputs} classes; got {class_weights}"
            )
        if class_weights is not None and not (
            any(class_weights) and all(0 <= weight < math.inf for weight in class_weights)
        ):
            raise UserError(f"task.class_weights are at least 0, and not all 0; got {class_weights}")
        self.label_smoothing, self.weighted = label_smoothing, class_weights is not None
        self.class_weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy, in nats, of logits (batch, n_classes) and classes (batch,), or shares of each class (batch,
        n_classes). A sample, or its share of a class, weighs what its own class does, smoothed or not."""
        smoothing = self.label_smoothing
        if self.class_weights is None:
            return F.cross_entropy(output.float(), target, label_smoothing=smoothing)
        weights = self._weights(target)
        smoothed = weights.lerp(weights.mean(1, keepdim=True), smoothing)
        total = F.cross_entropy(output.float(), smoothed, reduction="sum")
        return total / weights.sum().clamp_min(torch.finfo(torch.float32).tiny)  # a batch may weigh nothing

    def count(self, target: Tensor) -> Tensor | int:
        """The samples, or the sum of their weights."""
        return len(target) if self.class_weights is None else self._weights(target).sum()

    def _weights(self, target: Tensor) -> Tensor:
        """What samples weigh for each class (batch, n_classes): their share of it times its weight."""
        shares = target if target.is_floating_point() else F.one_hot(target, self.spec.n_outputs)
        assert self.class_weights is not None
        self.class_weights = self.class_weights.to(target.device)
        return shares * self.class_weights

    def metrics(self) -> "MetricCollection":
        """See `zoo.tasks.metrics.classification`."""
        from zoo.tasks import metrics

        return metrics.classification(self.spec.n_outputs)

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest class's name for each row of logits."""
        return [self.spec.class_names[index] for index in output.argmax(1).tolist()]

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answer, and the probability of each class."""
        shares = output.float().softmax(1).T.tolist()  # (n_classes, n)
        return beside(super().tabulate(output), "probability of", self.spec.class_names, shares)
