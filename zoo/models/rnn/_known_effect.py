"""What a series owes at each step to what is known ahead, such as a promotion or the day of the week.

A regression with autoregressive errors, as in R. J. Hyndman, G. Athanasopoulos, "Forecasting: principles and practice"
(3rd edition, chapter 10): the effect is taken out of a window, the rest is forecast, and the effect of the steps ahead
is added. Effect and linear forecast are fitted in turn, in closed form. Deviation: ridge regressions with several
penalties, and no effect at all, are averaged by their errors on later training windows, as `_linear_path` does.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from zoo.models.rnn._linear_path import DECAYS, N_PARTS, LinearPath, Products, folds

N_ROUNDS = 2  # in which effect and linear forecast are fitted in turn
TRUST = 4.0  # in log odds, in no effect at all


class KnownEffect(nn.Module):
    """A linear function of what is known ahead for each channel, which is not trained; before `fit` it is 0.

    Args:
        n_known: values known ahead at each step.
        n_channels: of the series.

    Attributes:
        weight: (n_known, n_channels).
    """

    weight: Tensor

    def __init__(self, n_known: int, n_channels: int):
        super().__init__()
        self.register_buffer("weight", torch.zeros(n_known, n_channels))

    @property
    def n_fitted(self) -> int:
        """Weights, which count as parameters."""
        return self.weight.numel()

    def forward(self, known: Tensor) -> Tensor:
        """The effect (batch, time + horizon, n_channels) of what is known (batch, time + horizon, n_known)."""
        with torch.autocast(known.device.type, enabled=False):
            return known.float() @ self.weight

    def without(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The `sequence` and `target` of a batch without the effect of its `known`."""
        n_steps, effect = batch["sequence"].shape[1], self(batch["known"])
        return {
            "sequence": batch["sequence"] - effect[:, :n_steps],
            "target": batch["target"] - effect[:, n_steps:],
        }

    @torch.no_grad()
    def fit(self, inputs: Iterable[Mapping[str, Tensor]], linear: LinearPath) -> None:
        """Fit the weights to what a linear forecast misses in batches of training windows in the order of time,
        `sequence`, `known` and `target`."""
        parts: list[list[Products]] = []  # of consecutive windows, for each channel
        for batch in inputs:
            n = -(-len(batch["target"]) // N_PARTS)
            columns = (batch[name].split(n) for name in ("sequence", "known", "target"))
            parts += [self._products(linear, *part) for part in zip(*columns, strict=True)]
        horizon = linear.weight.shape[2]
        for channel, own in enumerate(zip(*parts, strict=True)):
            measured = [part for part in own if part.n]
            if len(measured) > 1:
                self.weight[:, channel] = _combined_effect(measured, horizon).to(self.weight)

    def _products(self, linear: LinearPath, sequence: Tensor, known: Tensor, target: Tensor) -> list[Products]:
        """For each channel sums over steps to forecast: of x, what is known of them less its forecast from what is
        known of the window, and of y, the error of the forecast."""
        n_steps, error = sequence.shape[1], (target - linear(sequence)).double()  # (n, horizon, n_channels)
        forecasts = torch.einsum("ntk,cth->cnhk", known[:, :n_steps], linear.weight[:, :-1])
        surprises = (known[:, n_steps:] - forecasts).double()  # (n_channels or 1, n, horizon, n_known)
        found = []
        for channel, y in enumerate(error.unbind(2)):
            measured = ~y.isnan()
            x, y = surprises[min(channel, len(surprises) - 1)][measured], y[measured][:, None]
            found.append(Products(x.T @ x, x.T @ y, y.square().sum(), len(x)))
        return found


def _combined_effect(parts: list[Products], horizon: int) -> Tensor:
    """The average (n_known,) of the effects fitted to consecutive parts, weighted by how well the same ones forecast
    the last blocks from what was known before."""
    errors, n = torch.zeros((), dtype=torch.float64), 0
    for before, block in folds(parts, (horizon - 1) * horizon):  # a window has `horizon` steps to forecast
        errors, n = errors + block.errors(_effects(before)), n + block.n
    odds = -errors.log() * n / horizon / 2  # each step is forecast `horizon` times
    odds[0] += TRUST
    return torch.einsum("n,nkl->k", odds.softmax(0), _effects(Products.total(parts)))


def _effects(products: Products) -> Tensor:
    """No effect, and those that ridge regression finds with each decay, (n_effects, n_known, 1)."""
    xx, xy = products.xx, products.xy
    penalty = xx.diagonal().mean().clamp(min=1e-12) * torch.eye(len(xx), dtype=xx.dtype, device=xx.device)
    return torch.stack([xy * 0, *(torch.linalg.solve(xx + decay * penalty, xy) for decay in DECAYS)])
