"""Regression: one number or several."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import Input, float_type

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS
from zoo.tasks.columns import Fit, TargetColumn, Targets
from zoo.tasks.conformal import Conformal, Intervals
from zoo.tasks.values import Values

N_CHARTS = 6  # outputs drawn in a report
N_ERRORS = 12  # samples drawn in a report


@TASKS.register("regression")
class Regression(Values):
    """One number or several; the arguments are those of `Values`."""

    target = "float32", 1
    score, score_mode = "rmse", "min"
    meanings: ClassVar[Mapping[str, str]] = {
        **Values.meanings,
        "rmse": "root mean squared error, in the target's units; large errors weigh most",
        "r2": "share of the target's variance that is explained; 0 is answering the mean, 1 is perfect",
    }

    @cached_property
    def conformal(self) -> Conformal:  # type: ignore[override]
        """Intervals from the bands of the head."""
        return Intervals(self.head, (self.spec.n_outputs,))

    @classmethod
    def fits(cls, columns: Sequence[TargetColumn]) -> Fit:
        """Columns of numbers."""
        if any(column.kind != "numeric" for column in columns):
            return Fit(0)
        names = "', '".join(column.name for column in columns)
        remark = f"regression of '{names}'; data.task=classification if its numbers are classes"
        return Fit(1, "" if any(column.kind_is_given for column in columns) else remark)

    @classmethod
    def encode(cls, columns: Sequence[TargetColumn], class_names: Sequence[str] | None = None) -> Targets:
        """The numbers of every row (n, n_columns), in float64 where float32 is too coarse; none may be constant."""
        values = _numbers(columns)
        ranges = [(float(one.min()), float(one.max())) for one in (values[c.train, i] for i, c in enumerate(columns))]
        for column, (low, high) in zip(columns, ranges, strict=True):
            if low == high:
                raise UserError(f"there is nothing to learn: '{column.name}' is {low:g} in every training row")
            column.report("numeric")
        target = Input((len(columns),), float_type(*ranges), scaled_axis=0)
        fields = {"n_outputs": len(columns), "target": target}
        return Targets(torch.from_numpy(values.astype(target.dtype)), fields)

    def targets(self, columns: Sequence[TargetColumn]) -> Tensor:
        """The numbers of every row (n, n_columns)."""
        values = _numbers(columns)
        for column in columns:
            column.report("numeric")
        return torch.from_numpy(values.astype(self.spec.target.dtype))

    def distance(self, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
        """Mean squared difference of the standardised values; no logits, so no temperature."""
        return F.mse_loss

    def default_metrics(self) -> "dict[str, Metric]":
        """Root mean squared error and mean absolute error in the target's units, R squared, and those of the head."""
        from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

        from zoo.tasks.metrics import ScaledR2Score

        of_values = {"rmse": MeanSquaredError(squared=False), "mae": MeanAbsoluteError(), "r2": ScaledR2Score()}
        return {**of_values, **self.head_metrics()}

    def metric_input(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Values (batch, n_outputs), or (batch,) of a single output."""
        return (output.squeeze(1), target.squeeze(1)) if output.shape[1] == 1 else (output, target)

    def metric_sizes(self) -> dict[str, int]:
        """How many values there are."""
        return {"num_outputs": self.spec.n_outputs}

    def decode(self, output: Tensor) -> list[Any]:
        """A float for each row, or a list of floats where there are several values."""
        return _listed(self.head.value(output))

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answer, and the other numbers of the head."""
        columns = {name: _listed(values) for name, values in self.head.columns(output).items()}
        return {**super().tabulate(output), **columns}

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """Predicted against true values for each output, and the largest errors."""
        output = self.head.value(output)
        text = (
            "Each dot is a test sample. On the dashed line the prediction is right; above it is too high, below too "
            "low. A cloud flatter than the line says that the model keeps too close to the mean."
        )
        charts = [page.scatter(*one) for one in zip(self._labels(), target.T, output.T, strict=False)]
        page.section("Predicted against true", text, *charts)
        spread = target.std(0, correction=0).clamp(min=1e-12)
        largest = ((output - target) / spread).abs().mean(1).argsort(descending=True)
        parts = {"true": target, "predicted": output}
        captions = [
            {what: ", ".join(map(page.number, part[i].tolist(), spread.tolist())) for what, part in parts.items()}
            for i in largest[:N_ERRORS]
        ]
        page.samples("Largest errors", largest, captions, "test samples with the largest error")

    def _labels(self) -> list[str]:
        """What the first outputs are called."""
        name, n = self.spec.target_name, self.spec.n_outputs
        return [name] if n == 1 else [f"{name}, output {index}" for index in range(min(n, N_CHARTS))]


def _listed(values: Tensor) -> list[Any]:
    """A float for each row of values (n, n_values), or a list of floats of several."""
    return (values.squeeze(1) if values.shape[1] == 1 else values).tolist()


def _numbers(columns: Sequence[TargetColumn]) -> np.ndarray:
    return np.stack([column.numbers() for column in columns], axis=1)  # (n, n_columns)
