"""What is learnt, whatever learns it: the loss, the metrics, what early stopping watches, and how outputs read."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score

from zoo.errors import UserError, unknown
from zoo.registry import Registry
from zoo.spec import IGNORED, DataSpec

TASKS: Registry[type["Task"]] = Registry("task")
Scale = Callable[[Tensor], Tensor]


class Task:
    """Base of all tasks. `score` names the metric to show first; `score_mode` says which way is better; `kept` is how
    many of a split's outputs a report shows, None for all; `call` is how a loaded model is asked."""

    score: str
    score_mode: str
    kept: int | None = None
    call = "model.predict(raw)"

    def __init__(self, spec: DataSpec):
        self.spec = spec

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the batch, a scalar, from outputs and targets on the network's scale."""
        raise NotImplementedError

    def metrics(self) -> MetricCollection:
        """Fresh metrics, to be filled by `measure`."""
        raise NotImplementedError

    def measure(self, metrics: MetricCollection, output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take a batch into `metrics`: outputs and targets in the target's own units, and the map from those to the
        scale the loss is computed on."""
        metrics.update(output, target)

    def count(self, target: Tensor) -> Tensor | int:
        """How many answers a batch's mean loss is the mean of."""
        return len(target)

    def decode(self, output: Tensor) -> list[Any]:
        """One readable answer a row: a class name, or a number in the target's units."""
        raise NotImplementedError

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answers as columns of a table."""
        return {"prediction": self.decode(output)}


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
        if self.class_weights is not None:
            self.class_weights = self.class_weights.to(output.device)
        return F.cross_entropy(output.float(), target, self.class_weights, label_smoothing=self.label_smoothing)

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

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answer, and the probability of each class."""
        shares = output.float().softmax(1).T.tolist()  # (n_classes, n)
        return super().tabulate(output) | dict(zip(self.spec.class_names, shares, strict=True))


LOSSES: Registry[Any] = Registry("loss")
for _name, _loss in {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}.items():
    LOSSES.register(_name)(_loss)


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

    def measure(self, metrics: MetricCollection, output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in a batch, in its own units and standardised; each metric takes what it names."""
        output, target = output.contiguous(), target.contiguous()
        metrics.update(preds=output, target=target, scaled_preds=scale(output), scaled_target=scale(target))


class ScaledSquaredError(MeanSquaredError):
    """Mean squared error of standardised values."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Take in values (batch, ...)."""
        super().update(scaled_preds, scaled_target)


class ScaledAbsoluteError(MeanAbsoluteError):
    """Mean absolute error of standardised values."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Take in values (batch, ...)."""
        super().update(scaled_preds, scaled_target)


class ScaledR2Score(R2Score):
    """R squared, from standardised values, so that it is exact for targets of any size."""

    def update(self, scaled_preds: Tensor, scaled_target: Tensor) -> None:
        """Take in values (batch, n_outputs)."""
        super().update(scaled_preds, scaled_target)


@TASKS.register("regression")
class Regression(Values):
    """One number or several; the arguments are those of `Values`."""

    score, score_mode = "rmse", "min"

    def metrics(self) -> MetricCollection:
        """Root mean squared error and mean absolute error in the target's units, and R squared."""
        return _collect(rmse=MeanSquaredError(squared=False), mae=MeanAbsoluteError(), r2=ScaledR2Score())

    def decode(self, output: Tensor) -> list[Any]:
        """A float for each row, or a list of floats where there are several outputs."""
        return (output.squeeze(1) if output.shape[1] == 1 else output).tolist()


@TASKS.register("forecasting")
class Forecasting(Values):
    """The next steps of a series, all at once: targets (horizon, n_channels); the arguments are those of `Values`."""

    score, score_mode, kept = "mse_scaled", "min", 2000

    def metrics(self) -> MetricCollection:
        """Mean squared and absolute error over all steps and channels: `_scaled` of values standardised by the training
        split, as the literature gives them, and in the series' own units."""
        return _collect(
            mse_scaled=ScaledSquaredError(),
            mae_scaled=ScaledAbsoluteError(),
            mse=MeanSquaredError(),
            mae=MeanAbsoluteError(),
        )

    def decode(self, output: Tensor) -> list[Any]:
        """For each window a list of its steps, each a list of the channels' values."""
        return output.tolist()

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """A row for each step of each window, a column for each channel."""
        n, horizon, _ = output.shape
        steps = {"step": list(range(1, horizon + 1)) * n}
        return steps | dict(zip(self.spec.column_names, output.flatten(0, 1).T.tolist(), strict=True))


@TASKS.register("language_modelling")
class LanguageModelling(Task):
    """The next token, at each step of a text."""

    score, score_mode, kept = "nats", "min", 0
    call = 'model.generate("Once upon a time", n=200)'

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy of logits (batch, time, n_tokens) and tokens (batch, time), in nats a token."""
        return F.cross_entropy(output.float().flatten(0, 1), target.flatten(), ignore_index=IGNORED)

    def metrics(self) -> MetricCollection:
        """Cross entropy in nats and in bits a token, and the share of tokens that were the likeliest."""
        accuracy = MulticlassAccuracy(self.spec.n_outputs, average="micro")
        return _collect(nats=CrossEntropy(), bits=CrossEntropy(unit=math.log(2)), accuracy=accuracy)

    def measure(self, metrics: MetricCollection, output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in a batch, less its padded steps."""
        valid = target != IGNORED
        metrics.update(output[valid], target[valid])

    def count(self, target: Tensor) -> Tensor:
        """Steps that are not padding."""
        return (target != IGNORED).sum()

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest token after the end of each text."""
        return [self.spec.class_names[index] for index in output[:, -1].argmax(1).tolist()]


class CrossEntropy(Metric):
    """Mean cross entropy over all tokens; `unit` nats count as one."""

    total: Tensor
    n: Tensor

    def __init__(self, unit: float = 1.0):
        super().__init__()
        self.unit = unit
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in logits (n, n_tokens) and tokens (n,)."""
        self.total += F.cross_entropy(preds.float(), target, reduction="sum")
        self.n += len(target)

    def compute(self) -> Tensor:
        """The mean so far."""
        return (self.total / self.n / self.unit).float()


def _collect(**metrics: Metric) -> MetricCollection:
    named: Mapping[str, Metric] = metrics
    return MetricCollection(dict(named), compute_groups=False)
