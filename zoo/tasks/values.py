"""Base of the tasks whose target is one number or several."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import Metric, MetricCollection

from zoo.tasks.base import Answer, Scale, Task, always
from zoo.tasks.heads import create_head


class Values(Task):
    """Base of the tasks whose target is one number or several.

    Args:
        spec: the data set's.
        loss: "mse" (squared error, the default), "mae" (absolute error), "huber" or another of `zoo.tasks.losses`, on
            the standardised target; of another head one of its own.
        head: what numbers the network gives for each value: "value", "quantiles", "gaussian" or another of
            `zoo.tasks.heads`.
        quantiles: levels of the head's quantiles.
        metrics: names of further metrics.
    """

    family = "regression"
    loaded_options = ("metrics", "head", "quantiles")

    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers with task.loss=mse, on standardised values",
        "mse": "mean squared error, in the series' own units",
        "mae": "mean absolute error, in the target's units",
    }

    def __init__(
        self,
        spec: DataSpec,
        loss: str | None = None,
        head: str = "value",
        quantiles: Sequence[float] | None = None,
        metrics: Sequence[str] = (),
    ) -> None:
        super().__init__(spec, metrics)
        self.head = create_head(head, loss, quantiles)
        self.numbers = self.head.numbers

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The head's loss of outputs and targets, both standardised."""
        return self.head.loss(output, target)

    def meaning(self, name: str) -> str:
        """What the loss or a metric means, in words."""
        return self.head.meanings.get(name) or super().meaning(name)

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """The mean of the training targets, their median where absolute errors are lowered, or their distribution."""
        name, output = self.head.naive(train["target"])
        return {name: always(output)}

    def certain(self, values: Tensor) -> Tensor:
        """The output that says values (batch, *shape) without doubt."""
        return self.head.certain(values)

    def combine(self, outputs: Tensor) -> Tensor:
        """The output (batch, ...) of an ensemble, from its members' (n_members, batch, ...)."""
        return self.head.combine(outputs)

    def value(self, output: Tensor) -> Tensor:
        """The head's single best value, (batch, *shape)."""
        return self.head.value(output)

    def head_metrics(self) -> "dict[str, Metric]":
        """New metrics of the head, beside those of single values."""
        from zoo.tasks.metrics import MeanOf

        return {name: MeanOf(function) for name, function in self.head.metrics.items()}

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Update each metric with the arguments that it names: values in the target's units, or standardised ones."""
        value, target = self.head.value(output).contiguous(), target.contiguous()
        scaled = {"scaled_preds": scale(value), "scaled_target": scale(target)}
        metrics.update(preds=value, target=target, numbers=output, **scaled)
