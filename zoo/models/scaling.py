"""Scalings of inputs by statistics of the training split, chosen by name."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.core.registry import Registry
from zoo.models.layers import valid_steps
from zoo.models.moments import Moments
from zoo.models.row_sample import RowSample

SCALINGS: "Registry[type[Scale]]" = Registry("scaling", "SCALINGS")

N_QUANTILES = 1000  # at most
LEAST = 1e-7  # share of rows below a value, that "quantile" tells from 0


class Scale(nn.Module):
    """Base of all scalings, which have statistics for each of `n` entries along an axis. A missing value (NaN) becomes
    0, the middle.

    A subclass defines `statistics`, `set` and `scale`.

    Args:
        n: entries.
        axis_from_end: 1 for the last axis, 2 for the one before, and so on.
        dtype: of values that are subtracted from others; the result is float32.
    """

    def __init__(self, n: int, axis_from_end: int, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.n, self.axis_from_end, self.dtype = n, axis_from_end, dtype
        self.shape = (n,) + (1,) * (axis_from_end - 1)

    def statistics(self) -> Any:
        """What `set` takes, after its `update` was given all values: (count, n) at a time."""
        raise NotImplementedError

    def set(self, statistics: Any) -> None:
        """Set the buffers."""
        raise NotImplementedError

    def scale(self, x: Tensor) -> Tensor:
        """Scale `x` of any leading shape; missing values stay NaN."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Scale `x` of any leading shape; integers become floats."""
        scaled = self.scale(x)
        return scaled.nan_to_num(0.0, math.inf, -math.inf) if x.is_floating_point() else scaled

    def entries_last(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Flatten values to (count, n), without the padded steps of sequences (batch, time, n)."""
        if lengths is not None and self.axis_from_end == 1 and x.dim() == 3:
            return x[valid_steps(lengths, x.shape[1])]
        return x.movedim(-self.axis_from_end, -1).reshape(-1, self.n)


@SCALINGS.register("standard")
class Standardize(Scale):
    """(x - mean) / std; an entry with std 0 is only centred."""

    mean: Tensor
    std: Tensor

    def __init__(self, n: int, axis_from_end: int, dtype: torch.dtype = torch.float32):
        super().__init__(n, axis_from_end, dtype)
        self.register_buffer("mean", torch.zeros(self.shape, dtype=dtype))
        self.register_buffer("std", torch.ones(self.shape))

    def statistics(self) -> Moments:
        """Their mean and standard deviation."""
        return Moments(self.n)

    def set(self, statistics: Moments) -> None:
        """Set the mean and the standard deviation."""
        mean, std = statistics.mean_and_std()
        self.mean.copy_(mean.view_as(self.mean))
        self.std.copy_(torch.where(std > 0, std, 1.0).view_as(self.std))

    def scale(self, x: Tensor) -> Tensor:
        """Standardise `x`; missing values stay NaN."""
        return (x.to(self.mean.dtype) - self.mean).to(self.std.dtype).div_(self.std)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo `forward`, in the mean's precision."""
        return x.to(self.mean.dtype) * self.std + self.mean


@SCALINGS.register("robust")
class Robust(Scale):
    """z = (x - median) / (distance of the quartiles), then z / sqrt(1 + (z / 3)^2), which is between -3 and 3 (D.
    Holzmüller et al., "Better by default", arXiv 2407.04491, section 3.1).

    Where the quartiles are equal, half the range takes their place; an entry with one value becomes 0.
    """

    median: Tensor
    factor: Tensor

    def __init__(self, n: int, axis_from_end: int, dtype: torch.dtype = torch.float32):
        super().__init__(n, axis_from_end, dtype)
        self.register_buffer("median", torch.zeros(self.shape, dtype=dtype))
        self.register_buffer("factor", torch.ones(self.shape))

    def statistics(self) -> RowSample:
        """A sample of them."""
        return RowSample()

    def set(self, statistics: RowSample) -> None:
        """Set the median, and the factor from the quartiles."""
        for index, values in enumerate(_columns(statistics)):
            low, first, median, third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
            distance = (third - first) or (high - low) / 2
            self.median.view(-1)[index] = median
            self.factor.view(-1)[index] = 1 / distance if distance else 0.0

    def scale(self, x: Tensor) -> Tensor:
        """Scale `x`; missing values stay NaN."""
        scaled = (x.to(self.median.dtype) - self.median).to(self.factor.dtype) * self.factor
        return scaled / torch.hypot(scaled / 3, torch.ones_like(scaled))


@SCALINGS.register("quantile")
class QuantileNormal(Scale):
    """The share of training rows below x, as the quantile of the normal distribution; at most 5.2 from 0.

    It is scikit-learn's QuantileTransformer, with a quantile for each 30 rows, from 10 to 1,000, as Gorishniy et al.
    (arXiv 2106.11959, section 4.2) use it. Rows with equal values count half, so that they get the middle of their
    quantiles.
    Deviation: that holds for the lowest and highest value too, where scikit-learn gives the ends, and the authors add
    noise to the same effect.
    """

    quantiles: Tensor
    shares: Tensor

    def __init__(self, n: int, axis_from_end: int, dtype: torch.dtype = torch.float32):
        super().__init__(n, axis_from_end, dtype)
        self.register_buffer("quantiles", torch.zeros(n, N_QUANTILES, dtype=dtype))  # where there are fewer, the last
        self.register_buffer("shares", torch.ones(N_QUANTILES, dtype=torch.float64))  # repeats, and its share, 1

    def statistics(self) -> RowSample:
        """A sample of them."""
        return RowSample()

    def set(self, statistics: RowSample) -> None:
        """Set the quantiles, (n, N_QUANTILES), and the shares of rows below them, (N_QUANTILES,)."""
        n_rows = len(statistics.rows()[0])
        shares = torch.ones_like(self.shares)
        n_quantiles = min(max(n_rows // 30, 10), N_QUANTILES, n_rows)
        shares[:n_quantiles] = torch.linspace(0, 1, n_quantiles, dtype=torch.float64)
        self.shares.copy_(shares)
        for index, values in enumerate(_columns(statistics)):
            self.quantiles[index] = torch.from_numpy(np.maximum.accumulate(np.quantile(values, shares.numpy())))

    def scale(self, x: Tensor) -> Tensor:
        """Scale `x`; missing values stay NaN."""
        first = x.to(self.quantiles.dtype).movedim(-self.axis_from_end, 0).contiguous()
        values = first.flatten(1)  # (n, count)
        below = torch.searchsorted(self.quantiles, values, right=True).sub_(1).clamp_(min=0)  # the quantile at or below
        above = torch.searchsorted(self.quantiles, values).clamp_(max=N_QUANTILES - 1)  # and the one at or above
        low, high = self.quantiles.gather(1, below).double(), self.quantiles.gather(1, above).double()
        between = high > low
        place = torch.where(between, (values - low) / torch.where(between, high - low, 1.0), 0.5)  # so has a gradient
        share = torch.lerp(self.shares[below], self.shares[above], place).clamp(LEAST, 1 - LEAST)
        normal = torch.where(values.isnan(), math.nan, torch.special.ndtri(share)).float()
        return normal.view_as(first).movedim(0, -self.axis_from_end)


def _columns(sample: RowSample) -> Iterator[np.ndarray]:
    """The values of each column that are not missing; a 0 where all are."""
    for column in sample.rows()[0].double().T:
        values = column[~column.isnan()].numpy()
        yield values if len(values) else np.zeros(1)
