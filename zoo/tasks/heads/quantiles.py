"""Quantiles of each value, `task.head=quantiles task.quantiles=[0.05,0.5,0.95]`."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.tasks.heads import HEADS, Bands, Distribution
from zoo.tasks.losses import LOSSES, find_loss

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@LOSSES.register("quantiles/pinball")
def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """The pinball loss of each quantile, (batch, n, ...), which that of the level minimises (R. Koenker, G. Bassett,
    "Regression quantiles", 1978)."""
    error = target[:, None] - quantiles
    levels = levels.view(-1, *[1] * (error.ndim - 2))
    return torch.maximum(levels * error, (levels - 1) * error)


@HEADS.register("quantiles")
class Quantiles(Distribution):
    """Quantiles of each value; the median is the single best value. Conformal prediction widens the pair of quantiles
    whose levels suit the coverage best (Y. Romano, E. Patterson, E. J. Candès, "Conformalized quantile regression",
    arXiv 1905.03222, section 4).

    Args:
        loss: as of `Head`.
        levels: of the quantiles, between 0 and 1 with 0.5 among them.
    """

    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "mean pinball loss of the quantiles, on standardised values",
        "crps": "continuous ranked probability score, in the target's units: an absolute error that takes doubt into "
        "account; here from the quantiles, weighted by the range of levels that each stands for",
        "coverage": "share of targets between the lowest and the highest quantile, before conformal prediction",
    }

    def __init__(self, loss: str | None = None, levels: Sequence[float] = LEVELS):
        rising = sorted(levels)
        if not (len(set(rising)) == len(rising) > 1 and rising[0] > 0 and rising[-1] < 1 and 0.5 in rising):
            raise UserError(
                f"task.quantiles are levels between 0 and 1, two or more with 0.5 among them; got {list(levels)}"
            )
        self._error, self.levels = find_loss("quantiles", loss or "pinball"), rising
        self._levels = torch.tensor(rising)
        self.numbers = [f"quantile {level:g}" for level in rising]
        pairs = [(index, _position(rising, 1 - level)) for index, level in enumerate(rising) if level <= 0.5]
        self._pairs = [(low, high) for low, high in pairs if high is not None]
        self.band_coverages = [rising[high] - rising[low] for low, high in self._pairs]
        edges = [0.0, *((a + b) / 2 for a, b in itertools.pairwise(rising)), 1.0]
        self._ranges = torch.tensor(edges).diff()

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean over the quantiles, (batch, *shape)."""
        self._levels = self._levels.to(output.device)
        return self._error(output, target, self._levels).mean(1)

    def value(self, output: Tensor) -> Tensor:
        """The median."""
        return output[:, self.levels.index(0.5)]

    def crps(self, output: Tensor, target: Tensor) -> Tensor:
        """Twice the pinball loss, averaged over the levels, each with the range that is nearest to it."""
        self._levels, self._ranges = self._levels.to(output.device), self._ranges.to(output.device)
        losses = pinball(output, target, self._levels)  # (batch, n, *shape)
        return 2 * (losses.movedim(1, -1) * self._ranges).sum(-1)

    def inside(self, output: Tensor, target: Tensor) -> Tensor:
        """Between the lowest and the highest quantile."""
        return ((output[:, 0] <= target) & (target <= output[:, -1])).double()

    def naive(self, target: Tensor) -> tuple[str, Tensor]:
        """The quantiles of all targets."""
        import numpy as np

        found = np.nanquantile(target.double().numpy(), self.levels, axis=0)
        return "quantiles of training", torch.from_numpy(found).to(target.dtype)

    def bands(self, output: Tensor) -> Bands:
        """The pairs of quantiles around the median, widened by the same on both sides."""
        lower, upper = (output[:, list(index)].movedim(1, 0) for index in zip(*self._pairs, strict=True))
        return Bands(lower, upper, torch.ones_like(lower))

    def columns(self, output: Tensor) -> dict[str, Tensor]:
        """The quantiles beside the median."""
        named = zip(self.levels, self.numbers, output.movedim(1, 0), strict=True)
        return {name: values for level, name, values in named if level != 0.5}


def _position(levels: Sequence[float], level: float) -> int | None:
    """The number of a level, rounding errors aside, or None."""
    return next((index for index, other in enumerate(levels) if math.isclose(other, level, abs_tol=1e-6)), None)
