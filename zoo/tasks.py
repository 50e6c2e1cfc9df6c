"""What is learnt, whatever learns it: the loss, the metrics, what early stopping watches, and how outputs read."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score

from zoo.errors import UserError, unknown
from zoo.registry import Registry
from zoo.spec import DataSpec

TASKS: Registry[type["Task"]] = Registry("task")


class Task:
    """Base of all tasks. `score` names the metric to show first; `score_mode` says which way is better."""

    score: str
    score_mode: str

    def __init__(self, spec: DataSpec):
        self.spec = spec

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the batch, a scalar, from outputs and targets on the network's scale."""
        raise NotImplementedError

    def metrics(self) -> MetricCollection:
        """Metrics over outputs (batch, n_outputs) and targets in the target's own units."""
        raise NotImplementedError

    def decode(self, output: Tensor) -> list[Any]:
        """One readable answer a row: a class name, or a number in the target's units."""
        raise NotImplementedError


def create_task(spec: DataSpec, **options: Any) -> Task:
    """The task of a data set. Options that are None keep the task's default; others must be the task's own."""
    task = TASKS.get(spec.task)
    given = {name: value for name, value in options.items() if value is not None}
    known = task.__init__.__annotations__
    for name in given:
        if name not in known:
            raise unknown(f"option of task {spec.task} (data {spec.name})", name, set(known) - {"spec", "return"})
    try:
        return task(spec, **given)
    except (TypeError, ValueError) as error:
        raise UserError(f"task {spec.task}: {error}") from error


@TASKS.register("classification")
class Classification(Task):
    """One of `n_outputs` classes, two or more, from as many logits. Two classes are two logits: their difference is
    the single logit of logistic regression, so the softmax here is its sigmoid.

    Args:
        spec: the data set's.
        label_smoothing: share of the target's probability that is spread over all classes.
        class_weights: a weight in the loss for each class, in the order of `spec.class_names`.
    """

    score, score_mode = "accuracy", "max"

    def __init__(
        self, spec: DataSpec, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__(spec)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing is at least 0 and below 1; got {label_smoothing}")
        if class_weights is not None and len(class_weights) != spec.n_outputs:
            raise UserError(
                f"task.class_weights has one weight for each of {spec.n_outputs} classes; got {class_weights}"
            )
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy of logits (batch, n_classes) and classes (batch,), in nats."""
        weights = None if self.class_weights is None else self.class_weights.to(output.device)
        return F.cross_entropy(output.float(), target, weights, label_smoothing=self.label_smoothing)

    def metrics(self) -> MetricCollection:
        """Accuracy, macro-averaged F1, and the area under the ROC curve, one class against the rest."""
        n = self.spec.n_outputs
        return _collect(
            accuracy=MulticlassAccuracy(n, average="micro"),
            f1=MulticlassF1Score(n, average="macro"),
            auroc=MulticlassAUROC(n),
        )

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest class's name for each row of logits."""
        return [self.spec.class_names[index] for index in output.argmax(1).tolist()]


LOSSES: Registry[Any] = Registry("loss")
for _name, _loss in {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}.items():
    LOSSES.register(_name)(_loss)


@TASKS.register("regression")
class Regression(Task):
    """One number or several.

    Args:
        spec: the data set's.
        loss: "mse" (squared error), "mae" (absolute error) or "huber", on the standardised target.
    """

    score, score_mode = "rmse", "min"

    def __init__(self, spec: DataSpec, loss: str = "mse") -> None:
        super().__init__(spec)
        self._loss = LOSSES.get(loss)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The chosen error of (batch, n_outputs), both standardised."""
        return self._loss(output.float(), target)

    def metrics(self) -> MetricCollection:
        """Root mean squared error and mean absolute error in the target's units, and R squared."""
        return _collect(rmse=MeanSquaredError(squared=False), mae=MeanAbsoluteError(), r2=R2Score())

    def decode(self, output: Tensor) -> list[Any]:
        """A float for each row, or a list of floats where there are several outputs."""
        return (output.squeeze(1) if output.shape[1] == 1 else output).tolist()


def _collect(**metrics: Metric) -> MetricCollection:
    named: Mapping[str, Metric] = metrics
    return MetricCollection(dict(named))
