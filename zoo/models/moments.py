"""Mean and standard deviation of a stream."""

import math

import torch
from torch import Tensor


class Moments:
    """Mean and standard deviation of a stream of (count, n) batches, in double precision; NaN does not count.

    Differences from a value of the first batch are summed, so that the std of a constant entry is exactly 0.
    """

    def __init__(self, n: int):
        self.count, self.sum, self.square = torch.zeros(3, n, dtype=torch.float64)
        self.origin: Tensor | None = None

    def update(self, x: Tensor) -> None:
        """Add one batch (count, n), with count at least 1."""
        x = x.double().cpu()
        if self.origin is None:
            largest = x.nan_to_num(nan=-math.inf).amax(0)
            self.origin = torch.where(largest.isinf(), 0.0, largest)  # entries without a value
        x = x - self.origin
        self.count += (~x.isnan()).sum(0)
        self.sum += x.nansum(0)
        self.square += x.square().nansum(0)

    def mean_and_std(self) -> tuple[Tensor, Tensor]:
        """Return the mean and the standard deviation so far, each (n,); 0 for an entry without a value."""
        count = self.count.clamp(min=1)
        mean = self.sum / count
        variance = self.square / count - mean.square()
        return mean + (0.0 if self.origin is None else self.origin), variance.clamp(min=0).sqrt()
