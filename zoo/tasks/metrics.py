"""Metrics that torchmetrics lacks, and collections of metrics by name."""

import warnings
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAUROC
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score
from torchmetrics.wrappers.abstract import WrapperMetric

from zoo.tasks._torchmetrics import class_counts, n_samples

Convert = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def collect(metrics: Mapping[str, Metric]) -> MetricCollection:
    """Collect metrics by name, to be updated together; they share no states."""
    return MetricCollection(dict(metrics), compute_groups=False)


class Adapted(WrapperMetric):
    """A metric that takes a task's outputs and computes one number.

    Args:
        inner: the metric that is updated.
        convert: maps outputs and targets to what it takes.
        pick: number of the value to return; None for the mean of those that are not NaN.
    """

    def __init__(self, inner: Metric, convert: Convert, pick: int | None = None):
        super().__init__()
        self.inner, self.convert, self.pick = inner, convert, pick

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """That of the inner metric, for early stopping."""
        return self.inner.higher_is_better

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Update with outputs and targets in the target's units."""
        self.inner.update(*self.convert(preds, target))

    def compute(self) -> Tensor:
        """Compute the number, a scalar."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes without samples, which are NaN
            values = self.inner.compute().float()
        return values.nanmean() if self.pick is None else values[self.pick]

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.inner.reset()


class AUROC(MulticlassAUROC):
    """Area under the ROC curve, one class against the rest, averaged over the classes that have both positive and
    negative samples; NaN without any."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Update with logits (n, n_classes) and classes (n,). The base class takes a batch of logits that all lie in
        [0, 1] for probabilities, so its result would depend on the batches."""
        super().update(preds.float().softmax(1), target)

    def compute(self) -> Tensor:  # type: ignore[override]
        """Compute the mean of all batches."""
        n = class_counts(self)
        ranked = (n > 0) & (n < n.sum())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes without samples, which are left out
            scores = super().compute()
        return scores[ranked].mean() if ranked.any() else torch.full((), torch.nan, device=n.device)


class ScaledSquaredError(MeanSquaredError):
    """Mean squared error of standardised values."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Update with standardised values (batch, ...)."""
        super().update(scaled_preds, scaled_target)


class ScaledAbsoluteError(MeanAbsoluteError):
    """Mean absolute error of standardised values."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Update with standardised values (batch, ...)."""
        super().update(scaled_preds, scaled_target)


class ScaledR2Score(R2Score):
    """R squared of standardised values, which is exact for targets of any magnitude."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Update with standardised values (batch, n_outputs)."""
        super().update(scaled_preds, scaled_target)

    def compute(self) -> Tensor:
        """Compute R squared of all batches; NaN for a single sample."""
        return super().compute() if n_samples(self) > 1 else torch.full((), torch.nan, device=self.device)


class MeanOf(Metric):
    """The mean of a function of outputs and the targets that is lower where these agree, such as a loss.

    Args:
        function: of numbers (batch, n, ...) and targets (batch, ...), which gives a number for each target.
    """

    higher_is_better = False
    total: Tensor
    n: Tensor

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.function = function
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, numbers: Tensor, target: Tensor) -> None:
        """Update with numbers and targets in the target's units."""
        self.total += self.function(numbers, target).double().sum()
        self.n += target.numel()

    def compute(self) -> Tensor:
        """Compute the mean of all batches."""
        return (self.total / self.n).float()


class CrossEntropy(Metric):
    """Mean cross entropy of tokens, in units of `unit` nats: log(2) gives bits.

    Args:
        unit: in nats.
        weights: what each token counts for in the mean (n_tokens,), such as its characters; None is 1.
    """

    higher_is_better = False
    total: Tensor
    n: Tensor
    weights: Tensor | None

    def __init__(self, unit: float = 1.0, weights: Tensor | None = None):
        super().__init__()
        self.unit = unit
        self.register_buffer("weights", weights, persistent=False)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Update with logits (n, n_tokens) and tokens (n,)."""
        self.total += F.cross_entropy(preds.float(), target, reduction="sum")
        self.n += len(target) if self.weights is None else self.weights[target].sum()

    def compute(self) -> Tensor:
        """Compute the mean of all batches."""
        return (self.total / self.n / self.unit).float()
