"""Classification: one of several classes."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS, Answer, Task, always, beside
from zoo.tasks.columns import Fit, TargetColumn, Targets
from zoo.tasks.conformal import Sets
from zoo.tasks.losses import find_loss
from zoo.tasks.temperature import fit_temperature, report_reliability

MANY_CLASSES = 20  # whole numbers with more distinct values are amounts
N_MISTAKES = 12  # drawn in a report
N_CONFUSIONS = 10  # listed in a report


@TASKS.register("classification")
class Classification(Task):
    """One of `n_outputs` classes, two or more, from as many logits. Two classes are two logits: their difference is
    the single logit of logistic regression, so the softmax here is its sigmoid.

    Args:
        spec: the data set's.
        loss: "cross_entropy", "focal" or another of `zoo.tasks.losses`.
        label_smoothing: share of the target's probability that is spread over all classes.
        class_weights: a weight in the loss for each class, in the order of `spec.class_names`.
        temperature: divides a trained model's logits; None for one that is fitted to held-out samples, 1 for none.
        metrics: names of further metrics.
    """

    target = "int64", 0
    has_classes = stratified = True
    family, metric_prefix = "classification", "Multiclass"
    score, score_mode = "accuracy", "max"
    loaded_options = ("metrics", "temperature")
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers, here without label smoothing and class weights",
        "accuracy": "share of right answers",
        "f1": "harmonic mean of precision and recall, averaged over the classes",
        "auroc": "chance that a sample of a class ranks above one of another class; 0.5 is guessing",
    }

    def __init__(
        self,
        spec: DataSpec,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        temperature: float | None = None,
        metrics: Sequence[str] = (),
    ) -> None:
        super().__init__(spec, metrics)
        check_smoothing(label_smoothing)
        if temperature is not None and not 0 < temperature < math.inf:
            raise UserError(f"task.temperature is above 0, or null to fit it; got {temperature}")
        self.temperature = temperature
        self.label_smoothing, self.weighted = label_smoothing, class_weights is not None
        self.conformal = Sets(spec.class_names, self.probabilities)
        self._loss = find_loss(self.family, loss)
        self._check_loss(loss)
        self.class_weights = None if class_weights is None else weight_per_class(class_weights, spec.n_outputs)

    # -- targets from columns of a user's file

    @classmethod
    def fits(cls, columns: Sequence[TargetColumn]) -> Fit:
        """One column of text, codes or truth values, or of a few distinct whole numbers."""
        if len(columns) != 1 or (columns[0].kind_is_given and columns[0].kind == "numeric"):
            return Fit(0)
        (column,) = columns
        if column.kind != "numeric":
            return Fit(2)
        numbers = column.distinct_numbers()
        if len(numbers) > MANY_CLASSES or (numbers != np.floor(numbers)).any() or np.isinf(numbers).any():
            return Fit(0)
        taken = (
            f"'{column.name}' has {len(numbers)} distinct whole numbers, taken for classes; data.task=regression if it "
            "is an amount"
        )
        return Fit(2, taken if len(numbers) > 2 else "")

    @classmethod
    def encode(cls, columns: Sequence[TargetColumn], class_names: Sequence[str] | None = None) -> Targets:
        """The class of every row, int64 (n,); at least two among the training rows."""
        column = single_column(columns, "classification")
        codes, names = column.classes(class_names)
        if len(np.unique(codes[column.train])) < 2:
            always = names[codes[column.train[0]]]
            raise UserError(f"classification needs at least two classes; '{column.name}' is always '{always}'")
        column.report("categorical")
        return Targets(torch.from_numpy(codes), {"n_outputs": len(names), "class_names": names})

    def targets(self, columns: Sequence[TargetColumn]) -> Tensor:
        """The class of every row, int64 (n,)."""
        return torch.from_numpy(single_column(columns, "classification").classes(self.spec.class_names)[0])

    # -- training

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The chosen loss, in nats, of logits (batch, n_classes) and classes (batch,), or shares of each class (batch,
        n_classes). A sample, or its share of a class, has the weight of its own class, smoothed or not."""
        if self.class_weights is None:
            smoothing = {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}
            return self._loss(output.float(), target, **smoothing)
        weights = self._weights(target)
        smoothed = weights.lerp(weights.mean(1, keepdim=True), self.label_smoothing)
        total = self._loss(output.float(), smoothed, reduction="sum")
        return total / weights.sum().clamp_min(torch.finfo(torch.float32).tiny)  # all weights may be 0

    def _check_loss(self, loss: str) -> None:
        """Raise UserError unless the loss has the arguments that smoothing and weights need."""
        if self.weighted:
            option, argument = "class_weights", "reduction"
        elif self.label_smoothing:
            option = argument = "label_smoothing"
        else:
            return
        if argument not in inspect.signature(self._loss).parameters:
            raise UserError(f"task.{option} needs a loss with the argument {argument}; task.loss={loss} has none")

    def count(self, target: Tensor) -> Tensor | int:
        """The number of samples, or the sum of their weights."""
        return len(target) if self.class_weights is None else self._weights(target).sum()

    def mixable(self, target: Tensor) -> Tensor:
        """Shares of each class, (batch, n_classes), from classes (batch,) or such shares."""
        return target if target.is_floating_point() else F.one_hot(target, self.spec.n_outputs).float()

    def _weights(self, target: Tensor) -> Tensor:
        """Weight of each sample for each class (batch, n_classes): its share of the class times the class's weight."""
        shares = target if target.is_floating_point() else F.one_hot(target, self.spec.n_outputs)
        assert self.class_weights is not None
        self.class_weights = self.class_weights.to(target.device)
        return shares * self.class_weights

    def distance(self, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
        """Kullback-Leibler divergence of the class probabilities (G. Hinton, O. Vinyals, J. Dean, arXiv 1503.02531,
        section 2)."""

        def divergence(student: Tensor, teacher: Tensor) -> Tensor:
            ours, theirs = ((logits / temperature).log_softmax(1) for logits in (student, teacher))
            return F.kl_div(ours, theirs, log_target=True, reduction="batchmean") * temperature**2

        return divergence

    # -- metrics and answers

    def default_metrics(self) -> "dict[str, Metric]":
        """Accuracy, macro-averaged F1, and the area under the ROC curve, one class against the rest."""
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        from zoo.tasks.metrics import AUROC

        n = self.spec.n_outputs
        return {
            "accuracy": MulticlassAccuracy(n, average="micro"),
            "f1": MulticlassF1Score(n, average="macro"),
            "auroc": AUROC(n, average="none"),
        }

    def metric_input(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (batch, n_classes) and classes (batch,)."""
        return output.float().softmax(1), target

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """The majority class: each class with its share of the training samples."""
        return {"majority class": always(log_shares(train["target"], self.spec.n_outputs))}

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest class's name for each row of logits."""
        return [self.spec.class_names[index] for index in output.argmax(1).tolist()]

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The answer, and the probability of each class."""
        columns = self.probabilities(output).T.tolist()  # (n_classes, n)
        return beside(super().tabulate(output), "probability of", self.spec.class_names, columns)

    def probabilities(self, output: Tensor) -> Tensor:
        """The softmax of logits (batch, n_classes)."""
        return output.float().softmax(1)

    def fit_temperature(self, output: Tensor, target: Tensor) -> float:
        """The chosen temperature, or that of the lowest cross entropy of held-out samples."""
        return fit_temperature(output, target) if self.temperature is None else self.temperature

    def combine(self, outputs: Tensor) -> Tensor:
        """Logarithms of the members' mean probabilities, (batch, n_classes)."""
        return log_mean_softmax(outputs)

    # -- the report

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """The confusion matrix, the most frequent confusions, and the wrong answers of the highest probability."""
        names, n = self.spec.class_names, len(target)
        probability, predicted = self.probabilities(output).max(1)
        wrong = (predicted != target).nonzero().squeeze(1)
        counts = torch.bincount(target * len(names) + predicted, minlength=len(names) ** 2).view(len(names), -1)
        n_right, n_commonest = n - len(wrong), int(counts.sum(1).max())
        text = (
            f"{n_right:,} of {n:,} test samples are right ({n_right / n:.1%}); always answering the commonest class "
            f"would be right for {n_commonest:,} ({n_commonest / n:.1%}). A row is a true class, a column what the "
            "model answered: right answers lie on the blue diagonal, mistakes are orange, and the shade grows with the "
            "share of the row."
        )
        page.section("Confusion matrix", text, page.confusion(counts, names), _confusions(page, counts, names))
        surest = wrong[probability[wrong].argsort(descending=True)]
        parts = target, predicted, probability
        captions = [
            {"true": names[true], "predicted": names[answer], "probability": f"{min(share, 0.999):.1%}"}
            for true, answer, share in zip(*(part[surest[:N_MISTAKES]].tolist() for part in parts), strict=True)
        ]
        page.samples("Surest mistakes", surest, captions, "wrong answers that the model was surest of")
        report_reliability(page, output, target)


def _confusions(page: "Page", counts: Tensor, names: Sequence[str]) -> str:
    """A table of the most frequent confusions, empty without any."""
    mistakes = (counts - counts.diag().diag()).flatten()
    order = mistakes.argsort(descending=True, stable=True)[:N_CONFUSIONS].tolist()
    pairs = [divmod(index, len(names)) for index in order if mistakes[index]]
    rows = [(names[i], names[j], f"{counts[i, j]} of {counts[i].sum()}") for i, j in pairs]
    return page.table(("true", "predicted", "samples"), rows) if rows else ""


def single_column(columns: Sequence[TargetColumn], task: str) -> TargetColumn:
    """The single column of targets; UserError for several."""
    if len(columns) != 1:
        names = ", ".join(column.name for column in columns)
        raise UserError(f"data.task={task} learns one column of targets; got {names}")
    return columns[0]


def log_mean_softmax(outputs: Tensor) -> Tensor:
    """Logarithms of mean probabilities (..., n_classes), from logits (n_models, ..., n_classes)."""
    return outputs.float().log_softmax(-1).logsumexp(0) - math.log(len(outputs))


def log_shares(target: Tensor, n_classes: int) -> Tensor:
    """Logarithms of the shares (n_classes,) of the classes in a target; one more sample of each keeps them finite."""
    counts = 1.0 + torch.bincount(target, minlength=n_classes)
    return (counts / counts.sum()).log()


def check_smoothing(label_smoothing: float) -> None:
    """Raise UserError unless this is a share below 1."""
    if not 0 <= label_smoothing < 1:
        raise UserError(f"task.label_smoothing is at least 0 and below 1; got {label_smoothing}")


def weight_per_class(weights: Sequence[float], n_classes: int, option: str = "class_weights") -> Tensor:
    """Weights (n_classes,); UserError unless there is one for each class, finite, at least 0 and not all 0."""
    if len(weights) != n_classes:
        raise UserError(f"task.{option} has one weight for each of {n_classes} classes; got {weights}")
    if not (any(weights) and all(0 <= weight < math.inf for weight in weights)):
        raise UserError(f"task.{option} are at least 0, and not all 0; got {weights}")
    return torch.tensor(weights, dtype=torch.float32)
