"""Regression: one number or several."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS
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

    def distance(self, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
        """Mean squared difference of the standardised values; no logits, so no temperature."""
        return F.mse_loss

    def default_metrics(self) -> "dict[str, Metric]":
        """Root mean squared error and mean absolute error in the target's units, and R squared."""
        from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

        from zoo.tasks.metrics import ScaledR2Score

        return {"rmse": MeanSquaredError(squared=False), "mae": MeanAbsoluteError(), "r2": ScaledR2Score()}

    def decode(self, output: Tensor) -> list[Any]:
        """A float for each row, or a list of floats where there are several outputs."""
        return (output.squeeze(1) if output.shape[1] == 1 else output).tolist()

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """Predicted against true values for each output, and the largest errors."""
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
