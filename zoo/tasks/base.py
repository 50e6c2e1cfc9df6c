"""The base of all tasks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from zoo.core.registry import Registry
from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


TASKS: Registry[type["Task"]] = Registry("task", "TASKS", Path(__file__).parent)
Scale = Callable[[Tensor], Tensor]
SAMPLE = "sample"  # the first column of a table of answers


class Task:
    """Base of all tasks. `score` names the metric to show first; `score_mode` says which way is better; `kept` is how
    many of a split's outputs a report shows, None for all; `call` is how a loaded model is asked;
    `stream` says whether an evaluation reads a split as one stream, from its start to its end; `weighted` whether
    samples weigh unlike in the mean loss; `target` is the type of a target and the number of its axes."""

    target: tuple[str, int]
    score: str
    score_mode: str
    kept: int | None = None
    call = "model.predict(raw)"
    stream = False
    weighted = False

    def __init__(self, spec: DataSpec):
        self.spec = spec

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the batch, a scalar, from outputs and targets on the network's scale."""
        raise NotImplementedError

    def metrics(self) -> "MetricCollection":
        """Fresh metrics, to be filled by `measure`."""
        raise NotImplementedError

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take a batch into `metrics`: outputs and targets in the target's own units, and the map from those to the
        scale the loss is computed on."""
        metrics.update(output, target)

    def count(self, target: Tensor) -> Tensor | int:
        """How many answers a batch's mean loss is the mean of, or what they weigh together."""
        return len(target)

    def decode(self, output: Tensor) -> list[Any]:
        """One readable answer a row: a class name, or a number in the target's units."""
        raise NotImplementedError

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answers as columns of a table."""
        return {"prediction": self.decode(output)}


def beside(
    own: Mapping[str, list[Any]], what: str, names: Sequence[str], columns: Sequence[list[Any]]
) -> dict[str, list[Any]]:
    """The columns of a table: `own`, and others by their names; one whose name is taken has `what` before it."""
    table = {SAMPLE: [], **own}
    for name, column in zip(names, columns, strict=True):
        free = name
        while free in table or (free != name and free in names):
            free = f"{what} {free}"
        table[free] = column
    return {name: column for name, column in table.items() if name != SAMPLE}
