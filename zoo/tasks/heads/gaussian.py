"""A normal distribution of each value, `task.head=gaussian`."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from zoo.tasks.heads import HEADS, Bands, Distribution
from zoo.tasks.losses import LOSSES, find_loss

NORMAL_90 = 1.6448536  # deviations around the mean that hold 90 %
SMALLEST = torch.finfo(torch.float32).tiny


@LOSSES.register("gaussian/crps")
def gaussian_crps(mean: Tensor, deviation: Tensor, target: Tensor) -> Tensor:
    """The continuous ranked probability score of normal distributions, elementwise (T. Gneiting, A. E. Raftery, 2007,
    equation 21)."""
    error = target - mean
    z = error / deviation
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    return error * (2 * torch.special.ndtr(z) - 1) + deviation * (2 * density - 1 / math.sqrt(math.pi))


@LOSSES.register("gaussian/nll")
def gaussian_nll(mean: Tensor, deviation: Tensor, target: Tensor) -> Tensor:
    """The negative logarithm of the density of normal distributions, elementwise, of deviations of at least .001."""
    deviation = deviation.clamp(min=1e-3)
    return ((target - mean) / deviation).square() / 2 + deviation.log() + math.log(2 * math.pi) / 2


@HEADS.register("gaussian")
class Gaussian(Distribution):
    """A normal distribution of each value, as its mean and the value one standard deviation above. Conformal prediction
    takes multiples of the deviation (J. Lei et al., arXiv 1604.04173, section 5.2).

    Args:
        loss: "crps" or "nll", see `Head`.
    """

    numbers = ("mean", "mean and a deviation")
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers with task.loss=crps, on standardised values",
        "crps": "continuous ranked probability score, in the target's units: an absolute error that takes doubt into "
        "account",
        "coverage": "share of targets in the middle 90% of their distribution, before conformal prediction",
    }

    def __init__(self, loss: str | None = None):
        self._error = find_loss("gaussian", loss or "crps")

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each value, (batch, *shape)."""
        return self._error(*self._mean_and_deviation(output), target)

    def value(self, output: Tensor) -> Tensor:
        """The mean."""
        return output[:, 0]

    def crps(self, output: Tensor, target: Tensor) -> Tensor:
        """In closed form, see `gaussian_crps`."""
        return gaussian_crps(*self._mean_and_deviation(output), target)

    def inside(self, output: Tensor, target: Tensor) -> Tensor:
        """In the middle 90 % of the distribution."""
        mean, deviation = self._mean_and_deviation(output)
        return ((target - mean).abs() <= NORMAL_90 * deviation).double()

    def naive(self, target: Tensor) -> tuple[str, Tensor]:
        """The mean and the deviation of all targets."""
        values = target.double()
        mean = values.nanmean(0)
        deviation = (values - mean).square().nanmean(0).sqrt()
        return "mean and deviation of training", torch.stack([mean, mean + deviation]).to(target.dtype)

    def bands(self, output: Tensor) -> Bands:
        """The mean, and the deviation as the unit of its error."""
        mean, deviation = self._mean_and_deviation(output)
        return Bands(mean[None], mean[None], deviation[None])

    def combine(self, outputs: Tensor) -> Tensor:
        """Mean and deviation of the mixture of the members' distributions (B. Lakshminarayanan, A. Pritzel,
        C. Blundell, arXiv 1612.01474, section 2.4)."""
        means, deviations = outputs[:, :, 0], outputs[:, :, 1] - outputs[:, :, 0]
        mean = means.mean(0)
        deviation = ((means - mean).square() + deviations.square()).mean(0).sqrt()
        return torch.stack([mean, mean + deviation], 1)

    def columns(self, output: Tensor) -> dict[str, Tensor]:
        """The standard deviation."""
        return {"standard deviation": self._mean_and_deviation(output)[1]}

    def _mean_and_deviation(self, output: Tensor) -> tuple[Tensor, Tensor]:
        return output[:, 0], (output[:, 1] - output[:, 0]).clamp(min=SMALLEST)
