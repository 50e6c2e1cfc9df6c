"""DLinear and NLinear, linear forecasts trained by gradients, to compare a model with in benchmarks.

A. Zeng et al., "Are transformers effective for time series forecasting?" (arXiv 2205.13504, section 4), trained as
there: Adam, mean squared error on standardised values, and early stopping on the validation split, here until it has
not improved for ten epochs. Channels share the weights. They take minutes, so no training measures itself by them.
"""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.spec import DataSpec
from zoo.data.splits import Split, Splits, batches, each_value_once
from zoo.models.preprocess import Preprocess

KERNEL = 25  # steps of DLinear's moving average
RATES = (1e-3, 5e-3)  # of learning; the better one on the validation split counts
BATCH_SIZE, PATIENCE, MOST_EPOCHS = 32, 10, 100


class NLinear(nn.Module):
    """A linear layer on the window less its last value, which is added to the forecast."""

    def __init__(self, look_back: int, horizon: int):
        super().__init__()
        self.linear = nn.Linear(look_back, horizon)

    def forward(self, sequence: Tensor) -> Tensor:
        """Forecast (batch, horizon, n_channels) from (batch, look_back, n_channels)."""
        last = sequence[:, -1:]
        return last + cast(Tensor, self.linear((sequence - last).mT)).mT


class DLinear(nn.Module):
    """A linear layer on a window's moving average, and one on what is left."""

    def __init__(self, look_back: int, horizon: int):
        super().__init__()
        self.trend, self.rest = nn.Linear(look_back, horizon), nn.Linear(look_back, horizon)

    def forward(self, sequence: Tensor) -> Tensor:
        """Forecast (batch, horizon, n_channels) from (batch, look_back, n_channels)."""
        padded = F.pad(sequence.mT, (KERNEL // 2, KERNEL // 2), mode="replicate")
        trend = F.avg_pool1d(padded, KERNEL, 1)  # (batch, n_channels, look_back)
        return cast(Tensor, self.trend(trend) + self.rest(sequence.mT - trend)).mT


def trained_forecast(
    network: type[NLinear] | type[DLinear], splits: Splits, seed: int = 0
) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """Train a network on series to forecast; the answer to a batch is in the units of the series."""
    preprocess = Preprocess(splits.spec)
    preprocess.fit(each_value_once(splits.train))
    trained = [_train(network, splits, preprocess, lr, seed) for lr in RATES]
    best = min(trained, key=lambda pair: pair[1])[0]

    @torch.no_grad()
    def answer(batch: Mapping[str, Tensor]) -> Tensor:
        return preprocess.restore(best(preprocess({"sequence": batch["sequence"]})["sequence"]))

    return answer


def _train(
    network: type[nn.Module], splits: Splits, preprocess: Preprocess, lr: float, seed: int
) -> tuple[nn.Module, float]:
    """Train until validation stops improving; return the best epoch's network, and its validation error."""
    torch.manual_seed(seed)
    model: Any = network(*_window(splits.spec))
    optimizer, best, lowest, n_worse = torch.optim.Adam(model.parameters(), lr), model, math.inf, 0
    n = len(splits.train)  # type: ignore[arg-type]
    for _ in range(MOST_EPOCHS):
        for index in torch.randperm(n).split(BATCH_SIZE):
            batch = splits.train.__getitems__(index)  # type: ignore[union-attr]
            squares, n_values = _squares(model, preprocess, batch)
            optimizer.zero_grad()
            (squares / n_values).backward()
            optimizer.step()
        error = _error(model, preprocess, splits.val)
        n_worse = 0 if error < lowest else n_worse + 1
        best, lowest = (copy.deepcopy(model), error) if error < lowest else (best, lowest)
        if n_worse == PATIENCE:
            break
    return best, lowest


def _window(spec: DataSpec) -> tuple[int, int]:
    return spec.sizes["time"], spec.sizes["horizon"]


def _squares(model: nn.Module, preprocess: Preprocess, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The sum of squared errors on standardised values, and their number, of those that were measured."""
    target = preprocess.scale_target(batch["target"])
    errors = model(preprocess({"sequence": batch["sequence"]})["sequence"]) - target.nan_to_num()
    measured = ~target.isnan()
    return (errors.square() * measured).sum(), measured.sum()


@torch.no_grad()
def _error(model: nn.Module, preprocess: Preprocess, split: Split) -> float:
    squares, n_values = zip(*(_squares(model, preprocess, batch) for batch in batches(split)), strict=True)
    return float(sum(squares) / sum(n_values))
