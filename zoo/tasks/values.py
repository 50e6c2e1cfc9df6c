"""What tasks share whose target is one number or several."""

from typing import TYPE_CHECKING

from torch import Tensor

from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import Scale, Task
from zoo.tasks.losses import LOSSES


class Values(Task):
    """Base of the tasks whose target is one number or several.

    Args:
        spec: the data set's.
        loss: "mse" (squared error), "mae" (absolute error) or "huber", on the standardised target.
    """

    def __init__(self, spec: DataSpec, loss: str = "mse") -> None:
        super().__init__(spec)
        self._loss = LOSSES.get(loss)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The chosen error of outputs and targets of one shape, both standardised."""
        return self._loss(output.float(), target)

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in a batch, in its own units and standardised; each metric takes what it names."""
        output, target = output.contiguous(), target.contiguous()
        metrics.update(preds=output, target=target, scaled_preds=scale(output), scaled_target=scale(target))
