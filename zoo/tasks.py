"""What is learnt, whatever learns it: the loss, the metrics, what early stopping watches, and how outputs read."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.errors import UserError, unknown
from zoo.registry import Registry
from zoo.spec import IGNORED, DataSpec

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

TASKS: Registry[type["Task"]] = Registry("task")
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


def create_task(spec: DataSpec, **options: Any) -> Task:
    """The task of a data set. Options that are None keep the task's default; others must be the task's own."""
    task = TASKS.get(spec.task)
    found = "float32" if spec.target.is_floating else spec.target.dtype, len(spec.target.shape)
    if found != task.target:
        raise UserError("task {} has targets of type {} and {} axes; data {} has {} and {}".format(
            spec.task, *task.target, spec.name, *found))  # fmt: skip
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

    target = "int64", 0
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
        if class_weights is not None and not (
            any(class_weights) and all(0 <= weight < math.inf for weight in class_weights)
        ):
            raise UserError(f"task.class_weights are at least 0, and not all 0; got {class_weights}")
        self.label_smoothing, self.weighted = label_smoothing, class_weights is not None
        self.class_weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy, in nats, of logits (batch, n_classes) and classes (batch,), or shares of each class (batch,
        n_classes). A sample, or its share of a class, weighs what its own class does, smoothed or not."""
        smoothing = self.label_smoothing
        if self.class_weights is None:
            return F.cross_entropy(output.float(), target, label_smoothing=smoothing)
        weights = self._weights(target)
        smoothed = weights.lerp(weights.mean(1, keepdim=True), smoothing)
        total = F.cross_entropy(output.float(), smoothed, reduction="sum")
        return total / weights.sum().clamp_min(torch.finfo(torch.float32).tiny)  # a batch may weigh nothing

    def count(self, target: Tensor) -> Tensor | int:
        """The samples, or the sum of their weights."""
        return len(target) if self.class_weights is None else self._weights(target).sum()

    def _weights(self, target: Tensor) -> Tensor:
        """What samples weigh for each class (batch, n_classes): their share of it times its weight."""
        shares = target if target.is_floating_point() else F.one_hot(target, self.spec.n_outputs)
        assert self.class_weights is not None
        self.class_weights = self.class_weights.to(target.device)
        return shares * self.class_weights

    def metrics(self) -> "MetricCollection":
        """See `zoo.metrics.classification`."""
        from zoo import metrics

        return metrics.classification(self.spec.n_outputs)

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest class's name for each row of logits."""
        return [self.spec.class_names[index] for index in output.argmax(1).tolist()]

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answer, and the probability of each class."""
        shares = output.float().softmax(1).T.tolist()  # (n_classes, n)
        return beside(super().tabulate(output), "probability of", self.spec.class_names, shares)


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

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in a batch, in its own units and standardised; each metric takes what it names."""
        output, target = output.contiguous(), target.contiguous()
        metrics.update(preds=output, target=target, scaled_preds=scale(output), scaled_target=scale(target))


@TASKS.register("regression")
class Regression(Values):
    """One number or several; the arguments are those of `Values`."""

    target = "float32", 1
    score, score_mode = "rmse", "min"

    def metrics(self) -> "MetricCollection":
        """See `zoo.metrics.regression`."""
        from zoo import metrics

        return metrics.regression()

    def decode(self, output: Tensor) -> list[Any]:
        """A float for each row, or a list of floats where there are several outputs."""
        return (output.squeeze(1) if output.shape[1] == 1 else output).tolist()


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
        """See `zoo.metrics.forecasting`."""
        from zoo import metrics

        return metrics.forecasting()

    def decode(self, output: Tensor) -> list[Any]:
        """For each window a list of its steps, each a list of the channels' values."""
        return output.tolist()

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """A row for each step of each window, a column for each channel."""
        n, horizon, _ = output.shape
        steps = {"step": list(range(1, horizon + 1)) * n}
        return beside(steps, "forecast of", self.spec.column_names, output.flatten(0, 1).T.tolist())


@TASKS.register("language_modelling")
class LanguageModelling(Task):
    """The next token, at each step of a text."""

    target = "int64", 1
    score, score_mode, kept = "nats", "min", 0
    call = 'model.generate("Once upon a time", n=200)'
    stream = True

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy of logits (batch, time, n_tokens) and tokens (batch, time), in nats a token."""
        return F.cross_entropy(output.float().flatten(0, 1), target.flatten(), ignore_index=IGNORED)

    def metrics(self) -> "MetricCollection":
        """See `zoo.metrics.language_modelling`."""
        from zoo import metrics

        return metrics.language_modelling(self.spec.n_outputs)

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in a batch, less its padded steps."""
        valid = target != IGNORED
        metrics.update(output[valid], target[valid])

    def count(self, target: Tensor) -> Tensor:
        """Steps that are not padding."""
        return (target != IGNORED).sum()

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest token after the end of each text."""
        return [self.spec.class_names[index] for index in output[:, -1].argmax(1).tolist()]
