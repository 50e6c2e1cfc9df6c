"""A baseline on series to forecast: each step ahead as a linear function of the window, in closed form.

NLinear (A. Zeng et al., arXiv 2205.13504, section 4): the last value is subtracted from the window and added to the
forecast, and all channels share the weights. Those are fitted by ridge regression here, rather than by gradients.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.baselines import BASELINES
from zoo.core.spec import DataSpec

DECAY = 1e-2  # of the weights, relative to the mean square of an input
READ = 256  # windows at once


@BASELINES.register("forecasting/ridge regression on the window")
def linear(spec: DataSpec, target: Tensor, sequence: Tensor, known: Tensor | None = None) -> Callable[..., Tensor]:
    """Ridge regression of what follows on the window, both less the window's last value, without what is `known`
    ahead."""
    std = _differences(sequence).square().nanmean((0, 1)).sqrt().clamp(min=1e-12)  # (n_channels,)
    look_back, horizon = sequence.shape[1], target.shape[1]
    gram = torch.zeros(look_back, look_back, dtype=torch.float64)
    product = torch.zeros(look_back, horizon, dtype=torch.float64)
    for seen, future in zip(sequence.split(READ), target.split(READ), strict=True):
        x = (_differences(seen) / std).mT.flatten(0, 1)  # (n * n_channels, look_back)
        y = ((future - seen[:, -1:]).double() / std).mT.flatten(0, 1)  # (n * n_channels, horizon)
        known = ~(x.isnan().any(1) | y.isnan().any(1))
        gram += x[known].T @ x[known]
        product += x[known].T @ y[known]
    ridge = DECAY * gram.diagonal().mean().clamp(min=1e-12)
    weights = torch.linalg.solve(gram + ridge * torch.eye(look_back, dtype=torch.float64), product)
    mean = target.double().nanmean((0, 1)).nan_to_num()

    def forecast(sequence: Tensor, **_: Tensor) -> Tensor:
        last = torch.where(sequence[:, -1:].isnan(), mean, sequence[:, -1:].double())
        change = (_differences(sequence) / std).nan_to_num().mT @ weights  # (n, n_channels, horizon)
        return (last + change.mT * std).to(getattr(torch, spec.target.dtype))

    return forecast


def _differences(sequence: Tensor) -> Tensor:
    """Values less the last one of their window, in float64, (n, look_back, n_channels)."""
    return (sequence - sequence[:, -1:]).double()
