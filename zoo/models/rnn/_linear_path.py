"""A forecast that is a linear function of the window, fitted in closed form before a network is trained.

The weights of a channel are the mean of those fitted to all channels, as in A. Zeng et al., "Are transformers effective
for time series forecasting?" (arXiv 2205.13504, section 4), and of its own. Several ridge regressions are fitted, which
pull the weights towards a simple forecast, such as the last season, in one of three bases; and averaged with weights
that fall with the squared error of each on windows after those it was fitted to: by the likelihood of normal errors, as
in Bayesian model averaging. So a short series is forecast about as simply as its few windows allow.

Everything is computed from sums of products: the error of a linear forecast is a function of these.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

N_BLOCKS, N_HELD_OUT = 8, 5  # consecutive blocks of the windows; the last ones are forecast from those before
N_PARTS, MOST_PARTS = 16, 64  # sums that are kept apart while windows are read: of a batch, and in all
DECAYS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the weights, relative to the mean square of an input
SEASONAL = 0.9  # a season has at most this share of the squared error of repeating the last value
LEAST_POWER = 4.0
TRUST = 2.5  # in log odds, in each simple forecast rather than one that was fitted
DOUBT = 5.0  # in log odds, of forecasts that return to the level of the training: a series may leave it for good
SMALLEST = 1e-12
MOST_CHANNELS = 32  # that have weights of their own
CAUTION = 512.0  # windows that do not overlap, for which half of a network's correction is taken
FEWEST = 50.0  # from which any of it is: fewer are learned by heart, slowly, and a short validation split is misled


class Products(NamedTuple):
    """Sums over windows of single channels: of x, the `look_back` values and a 1, and y, the `horizon` values after.

    Attributes:
        xx: (look_back + 1, look_back + 1).
        xy: (look_back + 1, horizon).
        yy: of all squares of y, ().
        n: windows.
    """

    xx: Tensor
    xy: Tensor
    yy: Tensor
    n: int

    @classmethod
    def of(cls, sequence: Tensor, target: Tensor) -> "Products":
        """Sum over windows (n, look_back, n_channels) and what followed (n, horizon, n_channels); windows with a
        missing value (NaN) to forecast are left out."""
        x = with_one(sequence.mT.flatten(0, 1).double())  # (n * n_channels, look_back + 1)
        y = target.mT.flatten(0, 1).double()  # (n * n_channels, horizon)
        known = ~y.isnan().any(1)
        x, y = x[known], y[known]
        return cls(x.T @ x, x.T @ y, y.square().sum(), len(x))

    @property
    def mean(self) -> float:
        """Of the values that followed."""
        return float(self.xy[-1].mean() / max(self.n, 1))

    @classmethod
    def total(cls, parts: Iterable["Products"]) -> "Products":
        """Add up several sums."""
        return cls(*(sum(each) for each in zip(*parts, strict=True)))

    def errors(self, weights: Tensor) -> Tensor:
        """The sum of squared errors (n_forecasts,) of linear forecasts (n_forecasts, look_back + 1, horizon)."""
        crossed = (weights * self.xy).sum((1, 2))
        return (self.yy - 2 * crossed + (weights * (self.xx @ weights)).sum((1, 2))).clamp(min=SMALLEST)


class LinearPath(nn.Module):
    """A linear forecast of each channel from its window, which is not trained; before `fit` it repeats the last value.

    Trained weights would soon answer to the level of a series, which may leave all that the training saw.

    Args:
        look_back: steps of the window.
        horizon: steps to forecast.
        n_channels: of the series; many share their weights.

    Attributes:
        weight: (n_channels or 1, look_back + 1, horizon).
        share: of what a network adds to the forecast, that is taken, (): the less, the fewer windows; of few windows 0.
    """

    weight: Tensor
    share: Tensor

    def __init__(self, look_back: int, horizon: int, n_channels: int):
        super().__init__()
        n_own = n_channels if n_channels <= MOST_CHANNELS else 1
        start = repeating(1, look_back, horizon).float()
        self.register_buffer("weight", start.repeat(n_own, 1, 1))
        self.register_buffer("share", torch.ones(()))

    @property
    def n_fitted(self) -> int:
        """Weights, which count as parameters."""
        return self.weight.numel()

    def forward(self, sequence: Tensor) -> Tensor:
        """Forecast (batch, horizon, n_channels) from (batch, look_back, n_channels), in float32."""
        with torch.autocast(sequence.device.type, enabled=False):
            rows = with_one(sequence.float().permute(2, 0, 1))  # (n_channels, batch, look_back + 1)
            return (rows @ self.weight).permute(1, 2, 0)

    @torch.no_grad()
    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the weights to batches of training windows in the order of time, `sequence` and `target`."""
        n_windows = 0
        parts: list[list[Products]] = []  # of consecutive windows, for each channel with weights of its own
        for batch in inputs:
            n_windows += len(batch["target"])
            n = -(-len(batch["target"]) // N_PARTS)
            pairs = zip(batch["sequence"].split(n), batch["target"].split(n), strict=True)
            parts += [self._products(*pair) for pair in pairs]
            if len(parts) > MOST_PARTS:
                parts = [_total(parts[i : i + 2]) for i in range(0, len(parts), 2)]
        shared = _combined_forecast([Products.total(part) for part in parts])
        if shared is not None:
            for weight, *own in zip(self.weight, *parts, strict=True):
                found = _combined_forecast(own)
                weight.copy_(shared if found is None else (shared + found) / 2)
        n_independent = n_windows / self.weight.shape[2]
        self.share.fill_(n_independent**2 / (n_independent**2 + CAUTION**2) * (n_independent >= FEWEST))

    def _products(self, sequence: Tensor, target: Tensor) -> list[Products]:
        if len(self.weight) == 1:
            return [Products.of(sequence, target)]
        return [Products.of(*pair) for pair in zip(sequence.split(1, 2), target.split(1, 2), strict=True)]


def _total(parts: Sequence[Sequence[Products]]) -> list[Products]:
    return [Products.total(each) for each in zip(*parts, strict=True)]


def _combined_forecast(parts: Sequence[Products]) -> Tensor | None:
    """`combined_forecast` of parts with windows; None where they are too few."""
    filled = [part for part in parts if part.n]
    return combined_forecast(filled) if len(filled) > 1 else None


def combined_forecast(parts: Sequence[Products]) -> Tensor:
    """The average (look_back + 1, horizon) of all candidates fitted to consecutive parts, weighted by how well the same
    ones forecast the last blocks from what was known before."""
    whole = Products.total(parts)
    horizon, season = whole.xy.shape[1], find_season(whole)
    found, errors, n = candidates(whole, season), torch.zeros((), dtype=torch.float64), 0
    for before, block in folds(parts, horizon - 1):
        errors, n = errors + block.errors(candidates(before, season)), n + block.n
    returns = ((found[:, :-1].sum(1) - 1).abs() > 1e-6).any(1)  # to a level, rather than to move with the window
    n_independent = n / horizon  # forecasts that do not overlap, about
    odds = -errors.log() * max(n_independent, LEAST_POWER) - DOUBT * returns
    odds[: len(simple_forecasts(whole, season))] += TRUST
    return torch.einsum("n,nlh->lh", odds.softmax(0), found)


def folds(parts: Sequence[Products], n_apart: int) -> Iterator[tuple[Products, Products]]:
    """Each of the last blocks, after the parts before it but for `n_apart` windows, whose forecasts overlap its first
    ones; or after the first part, if there are none."""
    ends = list(itertools.accumulate(part.n for part in parts))
    middles = [end - part.n / 2 for end, part in zip(ends, parts, strict=True)]

    def between(start: float, end: float) -> list[Products]:
        return [part for part, middle in zip(parts, middles, strict=True) if start < middle <= end]

    size = ends[-1] / N_BLOCKS
    for k in range(N_BLOCKS - N_HELD_OUT, N_BLOCKS):
        before = between(0, k * size - n_apart) or parts[:1]
        if block := between(max(k * size, ends[0]), (k + 1) * size):
            yield Products.total(before), Products.total(block)


def candidates(products: Products, season: int) -> Tensor:
    """The simple forecasts (n_forecasts, look_back + 1, horizon), and those that ridge regression finds from each of
    them in each basis with each decay, all along the first axis."""
    starts = simple_forecasts(products, season)
    found, residual = [starts], products.xy - products.xx @ starts
    for basis in bases(products):
        xx = basis.T @ products.xx @ basis
        scale = xx.diagonal()[:-1].mean().clamp(min=SMALLEST)
        penalty = torch.cat([scale.expand(len(xx) - 1), xx[-1:, -1]])
        for decay in DECAYS:
            found.append(starts + basis @ torch.linalg.solve(xx + decay * penalty.diag(), basis.T @ residual))
    return torch.cat(found)


def bases(products: Products) -> list[Tensor]:
    """Bases (look_back + 1, n) in which weights are small: of the values less their mean; of their differences from the
    last one, and that one; and of the differences alone, whose forecasts rise and fall with the series. Each ends with
    a constant."""
    look_back = len(products.xx) - 1
    values = torch.eye(look_back + 1, dtype=torch.float64)
    differences = values.clone()
    values[-1, :-1] = differences[-1, look_back - 1] = -products.mean
    differences[look_back - 1, : look_back - 1] = -1
    alone = torch.cat([differences[:, : look_back - 1], differences[:, look_back:]], 1)
    return [values, differences, *([alone] if look_back > 1 else [])]


def simple_forecasts(products: Products, season: int) -> Tensor:
    """Forecasts that need no fit, (n_forecasts, look_back + 1, horizon): the mean, the last value, the mean of the
    window; of a seasonal series the last season, also raised by what the last value is above that of a season before;
    and the mean of the last two seasons, also raised to the level of the last."""
    size = len(products.xx) - 1, products.xy.shape[1]
    mean = torch.zeros_like(products.xy)
    mean[-1] = products.mean
    found = [mean, repeating(1, *size), averaging(size[0], *size)]
    if season > 1:
        last = repeating(season, *size)
        found.append(last)
        if season < size[0]:
            found.append(last + averaging(1, *size) - averaging(1, *size, skipped=season))
        if 2 * season <= size[0]:
            both = (last + repeating(season, *size, skipped=season)) / 2
            risen = (averaging(season, *size) - averaging(season, *size, skipped=season)) / 2
            found += [both, both + risen]
    return torch.stack(found)


def find_season(products: Products) -> int:
    """The period whose repetition has the smallest squared error; 1, the last value, where none is clearly better."""
    look_back, horizon = len(products.xx) - 1, products.xy.shape[1]
    periods, steps = torch.arange(1, look_back + 1)[:, None], torch.arange(horizon)
    repeated = look_back - periods + steps % periods  # places in the window, (look_back, horizon)
    errors = products.yy - 2 * products.xy[repeated, steps].sum(1) + products.xx.diagonal()[repeated].sum(1)
    best = int(errors.argmin())
    return best + 1 if errors[best] < SEASONAL * errors[0] else 1


def repeating(period: int, look_back: int, horizon: int, skipped: int = 0) -> Tensor:
    """The linear forecast (look_back + 1, horizon) that repeats `period` steps of a window: the last but `skipped`."""
    steps = torch.arange(horizon)
    weight = torch.zeros(look_back + 1, horizon, dtype=torch.float64)
    weight[look_back - skipped - period + steps % period, steps] = 1
    return weight


def averaging(n: int, look_back: int, horizon: int, skipped: int = 0) -> Tensor:
    """The linear forecast (look_back + 1, horizon) of the mean of `n` steps of a window: the last but `skipped`."""
    weight = torch.zeros(look_back + 1, horizon, dtype=torch.float64)
    weight[look_back - skipped - n : look_back - skipped] = 1 / n
    return weight


def with_one(x: Tensor) -> Tensor:
    """Append a 1 to the last axis."""
    return nn.functional.pad(x, (0, 1), value=1.0)
