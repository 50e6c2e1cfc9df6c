"""Metrics that torchmetrics lacks, and collections of metrics by name."""

import warnings
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAUROC
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score
from torchmetrics.utilities import dim_zero_cat


def collect(metrics: Mapping[str, Metric]) -> MetricCollection:
    """Metrics by name that are updated and computed together; states are not shared among them."""
    return MetricCollection(dict(metrics), compute_groups=False)


class AUROC(MulticlassAUROC):
    """Mean over the classes that can be ranked, which have samples and leave some to others; NaN without any."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in logits (n, n_classes) and classes (n,). The base class would take a batch of logits that all lie in
        [0, 1] for probabilities, and so give numbers that depend on the batches."""
        super().update(preds.float().softmax(1), target)

    def compute(self) -> Tensor:  # type: ignore[override]
        """The mean so far."""
        n = torch.bincount(dim_zero_cat(self.target), minlength=self.num_classes)
        ranked = (n > 0) & (n < n.sum())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes without samples, which are left out
            scores = super().compute()
        return scores[ranked].mean() if ranked.any() else torch.full((), torch.nan, device=n.device)


class ScaledSquaredError(MeanSquaredError):
    """Mean squared error of standardised values."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Take in values (batch, ...)."""
        super().update(scaled_preds, scaled_target)


class ScaledAbsoluteError(MeanAbsoluteError):
    """Mean absolute error of standardised values."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Take in values (batch, ...)."""
        super().update(scaled_preds, scaled_target)


class ScaledR2Score(R2Score):
    """R squared, from standardised values, so that it is exact for targets of any size."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Take in values (batch, n_outputs)."""
        super().update(scaled_preds, scaled_target)

    def compute(self) -> Tensor:
        """Of all so far; of a single sample there is none: NaN."""
        return super().compute() if self.total > 1 else torch.full((), torch.nan, device=self.residual.device)


class CrossEntropy(Metric):
    """Mean cross entropy over all tokens; `unit` nats count as one."""

    higher_is_better = False
    total: Tensor
    n: Tensor

    def __init__(self, unit: float = 1.0):
        super().__init__()
        self.unit = unit
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in logits (n, n_tokens) and tokens (n,)."""
        self.total += F.cross_entropy(preds.float(), target, reduction="sum")
        self.n += len(target)

    def compute(self) -> Tensor:
        """The mean so far."""
        return (self.total / self.n / self.unit).float()
