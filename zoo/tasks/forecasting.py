"""Forecasting: the next steps of a series, all at once."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import TASKS, Scale, beside
from zoo.tasks.values import Values


@TASKS.register("forecasting")
class Forecasting(Values):
    """The next steps of a series, all at once: targets (horizon, n_channels), NaN where nothing was measured; the
    arguments are those of `Values`."""

    target = "float32", 2
    score, score_mode, kept = "mse_scaled", "min", 2000
    weighted = True  # by how much of their targets was measured

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean of the chosen error over what was measured; a target that is NaN was not."""
        measured = ~target.isnan()
        error = super().loss(output, torch.where(measured, target, output.detach().float()))  # elsewhere it is 0
        return error * (target.numel() / measured.sum().clamp(min=1))

    def count(self, target: Tensor) -> Tensor:
        """The windows, those with gaps in part."""
        return (~target.isnan()).sum() / target[0].numel()

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in what was measured of a batch."""
        measured = ~target.isnan()
        values = (each[measured] for each in (output, target, scale(output), scale(target)))
        metrics.update(**dict(zip(("preds", "target", "scaled_preds", "scaled_target"), values, strict=True)))

    def metrics(self) -> "MetricCollection":
        """See `zoo.tasks.metrics.forecasting`."""
        from zoo.tasks import metrics

        return metrics.forecasting()

    def decode(self, output: Tensor) -> list[Any]:
        """For each window a list of its steps, each a list of the channels' values."""
        return output.tolist()

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """A row for each step of each window, a column for each channel."""
        n, horizon, _ = output.shape
        steps = {"step": list(range(1, horizon + 1)) * n}
        return beside(steps, "forecast of", self.spec.column_names, output.flatten(0, 1).T.tolist())
