"""Regression: one number or several."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import TASKS
from zoo.tasks.values import Values


@TASKS.register("regression")
class Regression(Values):
    """One number or several; the arguments are those of `Values`."""

    target = "float32", 1
    score, score_mode = "rmse", "min"

    def metrics(self) -> "MetricCollection":
        """See `zoo.tasks.metrics.regression`."""
        from zoo.tasks import metrics

        return metrics.regression()

    def decode(self, output: Tensor) -> list[Any]:
        """A float for each row, or a list of floats where there are several outputs."""
        return (output.squeeze(1) if output.shape[1] == 1 else output).tolist()
