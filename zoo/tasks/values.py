"""Base of the tasks whose target is one number or several."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch.nn.functional as F
from torch import Tensor

from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import Answer, Scale, Task, always
from zoo.tasks.losses import find_loss


class Values(Task):
    """Base of the tasks whose target is one number or several.

    Args:
        spec: the data set's.
        loss: "mse" (squared error), "mae" (absolute error), "huber" or another of `zoo.tasks.losses`, on the
            standardised target.
        metrics: names of further metrics.
    """

    family = "regression"

    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers with task.loss=mse, on standardised values",
        "mse": "mean squared error, in the series' own units",
        "mae": "mean absolute error, in the target's units",
    }

    def __init__(self, spec: DataSpec, loss: str = "mse", metrics: Sequence[str] = ()) -> None:
        super().__init__(spec, metrics)
        self._loss = find_loss(self.family, loss)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The chosen error of outputs and targets of one shape, both standardised."""
        return self._loss(output.float(), target)

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """The mean of the training targets; their median where absolute errors are lowered."""
        target = train["target"]
        if self._loss is F.l1_loss:
            return {"median": always(target.nanmedian(0).values)}
        return {"mean": always(target.double().nanmean(0).to(target.dtype))}

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Update each metric with the arguments that it names: values in the target's units, or standardised ones."""
        output, target = output.contiguous(), target.contiguous()
        metrics.update(preds=output, target=target, scaled_preds=scale(output), scaled_target=scale(target))
