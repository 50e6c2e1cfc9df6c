"""Heads by name, `task.head=`: what the numbers are that a network gives for each value of a target.

A head of one number gives outputs of the targets' shape (batch, *shape); one of n numbers (batch, n, *shape), which
rise along the second axis (see `zoo.models.model`) and so never cross. All numbers are values, in the target's units or
standardised, and what a head computes of them holds on either scale.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.tasks.losses import find_loss

HEADS: Registry[type["Head"]] = Registry("head", "HEADS")


class Bands(NamedTuple):
    """Intervals that conformal prediction widens, each (n_bands, batch, *shape): from `lower` to `upper`, by multiples
    of `unit`."""

    lower: Tensor
    upper: Tensor
    unit: Tensor


@HEADS.register("value")
class Head:
    """One number for each value.

    Attributes:
        numbers: what the numbers are, in words.
        meanings: what the loss and the metrics of the head mean, in words, for the report.
        metrics: functions of outputs and targets, NaN where there is none, that give a number for each value.
        band_coverages: of the bands, what the head itself expects of each.

    Args:
        loss: name of a loss of the head, see `zoo.tasks.losses`; None for its default.
    """

    numbers: Sequence[str] = ("value",)
    meanings: ClassVar[Mapping[str, str]] = {}
    band_coverages: Sequence[float] = (0.0,)

    def __init__(self, loss: str | None = None):
        self._loss = find_loss("regression", loss or "mse")

    @property
    def metrics(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        return {}

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss over the batch, a scalar."""
        return self._loss(output.float(), target)

    def value(self, output: Tensor) -> Tensor:
        """The single best value, (batch, *shape)."""
        return output

    def certain(self, values: Tensor) -> Tensor:
        """The output that says single values (batch, *shape) for certain."""
        return values

    def naive(self, target: Tensor) -> tuple[str, Tensor]:
        """What is answered without a model, and its name: one output for all samples, from targets (n_samples, *shape),
        NaN where there is none."""
        if self._loss is F.l1_loss:
            return "median", target.nanmedian(0).values
        return "mean", target.double().nanmean(0).to(target.dtype)

    def bands(self, output: Tensor) -> Bands:
        """What conformal prediction starts from; here the value and its absolute error (J. Lei et al., arXiv
        1604.04173, algorithm 2)."""
        return Bands(output[None], output[None], torch.ones_like(output[None]))

    def combine(self, outputs: Tensor) -> Tensor:
        """The output of an ensemble, from its members' (n_members, batch, ...)."""
        return outputs.mean(0)

    def columns(self, output: Tensor) -> dict[str, Tensor]:
        """The numbers that a table of answers shows beside the value, by heading, each (batch, *shape)."""
        return {}


class Distribution(Head):
    """Base of heads that describe how likely each value is."""

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each value, (batch, *shape)."""
        raise NotImplementedError

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss over the targets that are not NaN, a scalar."""
        measured = ~target.isnan()
        errors = self.errors(output.float(), target.nan_to_num())
        return torch.where(measured, errors, 0.0).sum() / measured.sum().clamp(min=1)

    def crps(self, output: Tensor, target: Tensor) -> Tensor:
        """The continuous ranked probability score of each value, (batch, *shape) (T. Gneiting, A. E. Raftery, "Strictly
        proper scoring rules, prediction, and estimation", 2007, section 4.2): the absolute error where the answer is
        certain."""
        raise NotImplementedError

    def inside(self, output: Tensor, target: Tensor) -> Tensor:
        """Whether each value lies in the head's own interval, 1.0 or 0.0."""
        raise NotImplementedError

    @property
    def metrics(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        return {"crps": self.crps, "coverage": self.inside}

    def certain(self, values: Tensor) -> Tensor:
        """All numbers equal."""
        return values[:, None].expand(-1, len(self.numbers), *values.shape[1:])


def create_head(name: str, loss: str | None, quantiles: Sequence[float] | None) -> Head:
    """The head `name`; an unknown name raises UserError with the nearest."""
    options: dict[str, Any] = {} if quantiles is None else {"levels": quantiles}
    if options and name != "quantiles":
        raise UserError(f"task.quantiles={quantiles} is for task.head=quantiles; this one is {name}")
    return HEADS.get(name)(loss, **options)
