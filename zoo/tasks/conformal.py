"""Split-conformal prediction: regions that hold the truth with a given probability, whatever the model.

Scores of held-out samples say how far each truth is outside of the model's answer; a region holds everything whose
score is at most a quantile of theirs (V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005,
section 2.2; J. Lei et al., arXiv 1604.04173, section 2.2). A task says what its scores and regions are.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from zoo.tasks.heads import Head

BETWEEN = "; "  # names in one cell of a table


class Conformal(Protocol):
    """The scores and regions of a task.

    Attributes:
        kind: "interval" or "set".
        size: what `sizes` measures, in words.
        meaning: what a region is, for the report.
        shape: of the scores of a sample, (n_bands, ...).
    """

    kind: str
    size: str
    meaning: str
    shape: tuple[int, ...]

    def scores(self, output: Tensor, target: Tensor) -> Tensor:
        """How far targets (n, ...) are outside of the answers, (n_bands, n, ...); a row for each band that regions may
        start from."""

    def regions(self, output: Tensor, limits: Tensor, coverage: float) -> Tensor:
        """The regions (n, ..., parts) of scores up to `limits` (n_bands, ...), for a coverage."""

    def covered(self, regions: Tensor, target: Tensor) -> Tensor:
        """Whether regions hold the targets (n, ...)."""

    def sizes(self, regions: Tensor) -> Tensor:
        """The size of each region (n, ...)."""

    def decode(self, regions: Tensor) -> Any:
        """The regions as Python values or an array, one a sample."""

    def tabulate(self, regions: Tensor) -> dict[str, list[Any]]:
        """The regions as columns of a table, by heading."""


class Intervals:
    """An interval for each value (n, *shape), from one of the bands of a head: `lower - limit * unit` to `upper + limit
    * unit`. The score is how many units a value lies outside of the band, or below 0 inside. Several values of a sample
    are covered one by one, not together.

    Args:
        head: whose bands they start from.
        shape: of a target.
    """

    kind, size = "interval", "width"
    meaning = "an interval for each number: what the model predicts, plus and minus a width"

    def __init__(self, head: Head, shape: Sequence[int]):
        self.head, self.shape = head, (len(head.band_coverages), *shape)

    def scores(self, output: Tensor, target: Tensor) -> Tensor:
        """Units outside of each band, (n_bands, n, *shape)."""
        lower, upper, unit = self.head.bands(output)
        return torch.maximum(lower - target, target - upper) / unit

    def regions(self, output: Tensor, limits: Tensor, coverage: float) -> Tensor:
        """Lower and upper bounds, (n, *shape, 2), from the band whose own coverage is the nearest."""
        coverages = self.head.band_coverages
        band = min(range(len(coverages)), key=lambda index: abs(coverages[index] - coverage))
        lower, upper, unit = (part[band] for part in self.head.bands(output))
        middle, width = (lower + upper) / 2, limits[band] * unit
        return torch.stack([torch.minimum(lower - width, middle), torch.maximum(upper + width, middle)], -1)

    def covered(self, regions: Tensor, target: Tensor) -> Tensor:
        """Whether each value lies between its bounds, (n, *shape)."""
        return (regions[..., 0] <= target) & (target <= regions[..., 1])

    def sizes(self, regions: Tensor) -> Tensor:
        """Widths (n, *shape)."""
        return regions[..., 1] - regions[..., 0]

    def decode(self, regions: Tensor) -> np.ndarray:
        """Bounds (n, 2), or (n, *shape, 2) of several values."""
        return _of_one_value(regions).numpy()

    def tabulate(self, regions: Tensor) -> dict[str, list[Any]]:
        """Columns `lower` and `upper`, of numbers or of lists of them."""
        bounds = _of_one_value(regions)
        return {"lower": bounds[..., 0].tolist(), "upper": bounds[..., 1].tolist()}


class ForecastIntervals(Intervals):
    """Intervals for each step and channel of a forecast (n, horizon, n_channels): a step far ahead has a wider one.

    Args:
        head: whose bands they start from.
        shape: of a target.
        names: of the channels.
    """

    meaning = "an interval for each step and channel: the forecast, plus and minus a width"

    def __init__(self, head: Head, shape: Sequence[int], names: Sequence[str]):
        super().__init__(head, shape)
        self.names = names

    def sizes(self, regions: Tensor) -> Tensor:
        """Widths (n, n_channels), each the mean over the steps."""
        return super().sizes(regions).mean(1)

    def tabulate(self, regions: Tensor) -> dict[str, list[Any]]:
        """Columns `lower` and `upper` of each channel, of a row for each step of each forecast."""
        bounds = regions.flatten(0, 1)  # (n * horizon, n_channels, 2)
        return {
            f"{name} {bound}": bounds[:, channel, side].tolist()
            for channel, name in enumerate(self.names)
            for side, bound in enumerate(("lower", "upper"))
        }


class Sets:
    """A set of classes: those whose probability is high enough, the "least ambiguous" set (M. Sadinle, J. Lei,
    L. Wasserman, arXiv 1609.00451, section 2). The score is 1 minus the probability of the true class.

    Deviation: the likeliest class is always in the set, which would else be empty for samples that the model is less
    sure of than the coverage asks for; so the coverage is never below the accuracy.

    Args:
        class_names: in the order of the outputs.
        probabilities: maps outputs to probabilities (n, n_classes).
    """

    kind, size = "set", "classes"
    shape: tuple[int, ...] = (1,)
    meaning = "a set of classes: the likeliest, which alone is right as often as the accuracy says, and more if needed"

    def __init__(self, class_names: Sequence[str], probabilities: Callable[[Tensor], Tensor]):
        self.class_names, self.probabilities = class_names, probabilities

    def scores(self, output: Tensor, target: Tensor) -> Tensor:
        """1 minus the probability of classes (n,), as (1, n)."""
        return 1 - self.probabilities(output).gather(1, target[:, None]).T

    def regions(self, output: Tensor, limits: Tensor, coverage: float) -> Tensor:
        """The probability of each class that is in the set, -1 of the others, (n, n_classes)."""
        probabilities = self.probabilities(output)
        likeliest = probabilities == probabilities.amax(1, keepdim=True)
        return torch.where((1 - probabilities <= limits[0]) | likeliest, probabilities, -1.0)

    def covered(self, regions: Tensor, target: Tensor) -> Tensor:
        """Whether the set has the class, (n,)."""
        return regions.gather(1, target[:, None])[:, 0] >= 0

    def sizes(self, regions: Tensor) -> Tensor:
        """Classes in each set, (n,)."""
        return (regions >= 0).sum(1)

    def decode(self, regions: Tensor) -> list[list[str]]:
        """The names of the classes in each set, the likeliest first."""
        order = regions.sort(dim=1, descending=True, stable=True).indices.tolist()
        return [
            [self.class_names[index] for index in row[:n]]
            for row, n in zip(order, self.sizes(regions).tolist(), strict=True)
        ]

    def tabulate(self, regions: Tensor) -> dict[str, list[Any]]:
        """A column `prediction set` of names, such as "cat; dog"."""
        return {"prediction set": [BETWEEN.join(names) for names in self.decode(regions)]}


def _of_one_value(bounds: Tensor) -> Tensor:
    """Bounds (n, 1, 2) without the axis of values; others as they are."""
    return bounds[:, 0] if bounds.shape[1:] == (1, 2) else bounds
