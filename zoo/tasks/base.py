"""The base class of all tasks: everything that depends on what a model's outputs mean.

A task is one file in this folder, or in your own (`zoo.add_path`), with a class below a line
`@TASKS.register("name")`. Nothing outside such a file asks what kind of task a model is for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Generator, Tensor

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.core.spec import DataSpec
from zoo.tasks.columns import Fit, TargetColumn, Targets
from zoo.tasks.conformal import Conformal
from zoo.tasks.library import create_metrics, meaning, reported_name

if TYPE_CHECKING:
    from torchmetrics import Metric, MetricCollection

    from zoo.tasks.page import Page
    from zoo.tasks.sampling import Sampling

TASKS: Registry[type["Task"]] = Registry("task", "TASKS")
Scale = Callable[[Tensor], Tensor]
Answer = Callable[[Mapping[str, Tensor]], Tensor]  # gives the outputs for a batch
SAMPLE = "sample"  # the first column of a table of answers


class Task:
    """Base of all tasks.

    Outputs are logits, or values in the target's units; "on the network's scale" values are standardised. Where each
    step has a target, answers are made from outputs (batch, time, ...) that are NaN after the end of a sequence.

    Attributes:
        target: dtype and number of axes of one target, such as ("int64", 0).
        stratified: whether random splits keep the shares of the targets' values.
        per_step: whether each step of a sequence has its own target.
        answers_steps: whether there is an answer for each step of a sequence, rather than one for the whole, such as on
            what follows it.
        has_classes: whether each output is a class or label with a name in `spec.class_names`.
        family: whose losses and metrics the task takes by name, see `zoo.tasks.losses` and `zoo.tasks.library`.
        metric_prefix: of torchmetrics' classes for this kind of output, such as "Multiclass"; "" of those for values.
        score: the metric to show first; `score_mode` is "max" or "min", whichever is better.
        meanings: what the loss and each metric mean, in words, for the report.
        n_reported: outputs of the test split that `report` needs; None for all.
        stream: whether a split is one stream, read in order with the model's state carried from batch to batch, and in
            training as parallel parts.
        weighted: whether samples have different weights in the mean loss.
        numbers: that a model gives for each value of the target, in words; several with a head of `zoo.tasks.heads`.
        conformal: what intervals or sets of a given coverage are, see `zoo.tasks.conformal`; None without any.
        temperature: divides logits; None for one that is fitted to held-out samples.
        generates: whether a model of this task goes on with what it is given, see `write`.
        call: how a loaded model is called, as Python code for the report.
        loaded_options: options of a training that a loaded model keeps, as they change what it answers or measures.

    Args:
        spec: of the data.
        metrics: names of metrics beside the task's own, see `zoo.tasks.library`.
    """

    target: ClassVar[tuple[str, int]]
    stratified: ClassVar[bool] = False
    per_step: ClassVar[bool] = False
    answers_steps: ClassVar[bool] = False
    has_classes: ClassVar[bool] = False
    family: ClassVar[str]
    metric_prefix: ClassVar[str] = ""
    score: ClassVar[str]
    score_mode: ClassVar[str]
    meanings: ClassVar[Mapping[str, str]] = {}
    n_reported: ClassVar[int | None] = None
    generates: ClassVar[bool] = False
    call: ClassVar[str] = "model.predict(raw)"
    loaded_options: ClassVar[tuple[str, ...]] = ("metrics",)
    stream: bool = False
    weighted: bool = False
    numbers: Sequence[str] = ("value",)
    conformal: Conformal | None = None
    temperature: float | None = 1.0

    def __init__(self, spec: DataSpec, metrics: Sequence[str] = ()):
        self.spec = spec
        self.extra_metrics = [metrics] if isinstance(metrics, str) else list(metrics)

    @classmethod
    def rules(cls, spec: DataSpec) -> dict[str, bool]:
        """Rules that every spec of this task obeys, in words, and whether `spec` obeys them."""
        found = "float32" if spec.target.is_floating else spec.target.dtype, len(spec.target.shape)
        return {
            "targets of type {} and {} axes".format(*cls.target): found == cls.target,
            "a name for each class": len(spec.class_names) == (spec.n_outputs if cls.has_classes else 0),
        }

    # -- targets from columns of a user's file

    @classmethod
    def fits(cls, columns: Sequence[TargetColumn]) -> Fit:
        """How well columns of targets suit this task; the best fit is chosen where the user names no task. A task that
        inherits this method is chosen by name alone."""
        return Fit(0)

    @classmethod
    def reads_empty(cls, n_columns: int) -> bool:
        """Whether an empty cell of so many columns is a target, such as "no label", rather than an unknown one."""
        return False

    @classmethod
    def encode(cls, columns: Sequence[TargetColumn], class_names: Sequence[str] | None = None) -> Targets:
        """The target of every row, and the spec's fields, inferred from the training rows.

        Args:
            columns: of the targets, one or more.
            class_names: the names of the classes in their order, where the data set knows them.

        Raises:
            UserError: for cells that are no target of this task, and where there is nothing to learn.
        """
        names = ", ".join(f"'{column.name}'" for column in columns)
        raise UserError(f"task {cls.__name__} cannot be learnt from a column of targets, such as {names}")

    def targets(self, columns: Sequence[TargetColumn]) -> Tensor:
        """The target of every row (n, ...), as a trained model's spec has them."""
        raise NotImplementedError

    # -- training

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the batch, a scalar, from outputs and targets on the network's scale."""
        raise NotImplementedError

    def count(self, target: Tensor) -> Tensor | int:
        """Number of targets that the batch's mean loss is a mean over, or the sum of their weights."""
        return len(target)

    def mixable(self, target: Tensor) -> Tensor:
        """Targets as floating numbers that augmentations such as mixup may average; `loss` takes them too."""
        return target

    def distance(self, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
        """The distance of a student's outputs from its teacher's, both on the network's scale: a function of the two
        that gives the mean over the batch, a scalar. `temperature` divides logits."""
        raise UserError(f"distill.teacher is not for {self.spec.task}, which data={self.spec.name} is")

    # -- metrics

    def metrics(self) -> "MetricCollection":
        """New metrics, to be updated by `measure`."""
        from zoo.tasks.metrics import collect

        return collect({**create_metrics(self, self.extra_metrics), **self.default_metrics()})

    def default_metrics(self) -> "dict[str, Metric]":
        """New metrics by name, each giving a scalar."""
        raise NotImplementedError

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Update `metrics` with a batch of outputs and targets, both in the target's units; `scale` standardises."""
        metrics.update(output, target)

    def metric_input(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and targets of `measure` as torchmetrics' classes of `metric_prefix` take them."""
        return output, target

    def metric_sizes(self) -> dict[str, int]:
        """Arguments of torchmetrics' classes that say how many classes or values there are."""
        return {"num_classes": self.spec.n_outputs, "num_labels": self.spec.n_outputs}

    def meaning(self, name: str) -> str:
        """What the loss or a metric means, in words; "" where unknown."""
        named = {reported_name(more): more for more in self.extra_metrics} | {more: more for more in self.extra_metrics}
        return self.meanings.get(name) or (meaning(self, named[name]) if name in named else "")

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """What anybody would answer without a model, by name, such as the majority class: the baselines that a model
        has to beat.

        Args:
            train: samples of the training split, inputs and "target", on the CPU.
        """
        return {}

    # -- answers

    def decode(self, output: Tensor) -> list[Any]:
        """One readable answer a sample: a class name, or a number in the target's units."""
        raise NotImplementedError

    def value(self, output: Tensor) -> Tensor:
        """The single value of each target (batch, *shape), of outputs that hold several numbers for it."""
        return output

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answers as columns of a table, by heading."""
        return {"prediction": self.decode(output)}

    def tabulate_regions(
        self, answers: Mapping[str, list[Any]], regions: Mapping[str, list[Any]]
    ) -> dict[str, list[Any]]:
        """The columns of `tabulate` with those of intervals or sets, which come after the first one."""
        name, *others = answers
        return beside({name: answers[name], **regions}, "probability of", others, [answers[other] for other in others])

    def probabilities(self, output: Tensor) -> Tensor:
        """Probability of each class or label, (batch, n_outputs), in the order of `spec.class_names`."""
        raise UserError(f"predict_proba needs classes; this model predicts {self.spec.target_name}: use predict")

    def fit_temperature(self, output: Tensor, target: Tensor) -> float:
        """The number to divide logits by, so that probabilities suit the held-out targets (n, ...); 1 for values."""
        return 1.0

    def certain(self, values: Tensor) -> Tensor:
        """The output that says an answer, such as a baseline's values (batch, *shape), without doubt."""
        return values

    def combine(self, outputs: Tensor) -> Tensor:
        """The output (batch, ...) of an ensemble, from its members' (n_members, batch, ...)."""
        return outputs.mean(0)

    def write(
        self,
        carry: Callable[[Tensor, Any], tuple[Tensor, Any]],
        start: Tensor,
        sampling: "Sampling",
        generator: Generator,
    ) -> Iterator[Any]:
        """What the model writes after `start`, piece by piece, where the task `generates`: after tokens (1, time), see
        `LanguageModelling`, or steps (1, time, n_labels), see `NextStep`."""
        raise NotImplementedError

    # -- the report

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """Add sections on the test split to a report.

        Args:
            page: offers headings, text, charts and samples, see `zoo.tasks.page`.
            output: of the first `n_reported` test samples, on the CPU.
            target: of the same samples, as the data set gives them.
        """


def always(output: Tensor) -> Answer:
    """The answer that is the same for every sample: an output without the batch axis."""
    return lambda batch: output.expand(len(batch["target"]), *output.shape)


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
