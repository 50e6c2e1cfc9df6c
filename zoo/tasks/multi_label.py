"""Multi-label classification: each sample has any number of several labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS, Answer, Task, always, beside
from zoo.tasks.classification import check_smoothing, weight_per_class
from zoo.tasks.columns import Fit, TargetColumn, Targets
from zoo.tasks.conformal import BETWEEN
from zoo.tasks.library import adapted
from zoo.tasks.losses import LOSSES, find_loss

MARKS = (";", "|", ",")  # between the labels of a cell, the first that occurs
N_NAMED = 20  # labels whose F1 is a metric of its own, at most
N_MISTAKES = 12  # drawn in a report


@LOSSES.register("multi_label/binary_cross_entropy")
def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of each label, (batch, n_labels), from logits and targets of that shape."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


@LOSSES.register("multi_label/focal")
def focal(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Cross entropy of each label times (1 - p) ** gamma, with p the probability of the target (T.-Y. Lin et al., arXiv
    1708.02002), (batch, n_labels)."""
    p = logits.sigmoid()
    return binary_cross_entropy(logits, target) * (p - target).abs() ** gamma


@TASKS.register("multi_label")
class MultiLabel(Task):
    """Which of `n_outputs` labels a sample has, from a logit for each; the targets are 0 or 1, (batch, n_labels).

    Args:
        spec: the data set's.
        loss: "binary_cross_entropy", "focal" or another of `zoo.tasks.losses`, which gives the loss of each label.
        label_smoothing: share of each target that is moved to 0.5.
        class_weights: a weight in the loss for each label, in the order of `spec.class_names`.
        pos_weight: a weight for each label of the samples that have it, or one for all labels.
        threshold: the probability from which a label is answered, or one for each label.
        metrics: names of further metrics.
    """

    target = "float32", 1
    has_classes = True
    family, metric_prefix = "multi_label", "Multilabel"
    score, score_mode = "f1", "max"
    loaded_options = ("metrics", "threshold")
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "cross entropy of a label, without label smoothing and weights",
        "f1": "harmonic mean of precision and recall, averaged over the labels",
        "map": "mean average precision: the area under the curve of precision over recall, averaged over the labels",
        "exact": "share of samples with every label right",
    }

    def __init__(
        self,
        spec: DataSpec,
        loss: str = "binary_cross_entropy",
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        pos_weight: float | Sequence[float] | None = None,
        threshold: float | Sequence[float] = 0.5,
        metrics: Sequence[str] = (),
    ) -> None:
        super().__init__(spec, metrics)
        check_smoothing(label_smoothing)
        n = spec.n_outputs
        self._loss, self.label_smoothing = find_loss(self.family, loss), label_smoothing
        self.has_weights = class_weights is not None or pos_weight is not None
        weights = weight_per_class([1.0] * n if class_weights is None else class_weights, n)
        self.class_weights = weights / weights.mean()
        self.pos_weight = weight_per_class(_for_each(1.0 if pos_weight is None else pos_weight, n), n, "pos_weight")
        self.thresholds = torch.tensor(_for_each(threshold, n), dtype=torch.float32)
        if len(self.thresholds) != n or not ((self.thresholds > 0) & (self.thresholds < 1)).all():
            raise UserError(f"task.threshold is between 0 and 1, one or {n}; got {threshold}")

    # -- targets from columns of a user's file

    @classmethod
    def fits(cls, columns: Sequence[TargetColumn]) -> Fit:
        """Several columns of truth values, or of 0 and 1 alone. A single column of marked labels is read by name."""
        if len(columns) < 2 or not all(map(_is_binary, columns)):
            return Fit(0)
        return Fit(2, f"multi-label classification of {len(columns)} labels; data.task=regression if these are amounts")

    @classmethod
    def reads_empty(cls, n_columns: int) -> bool:
        """An empty cell of labels is a sample without any."""
        return n_columns == 1

    @classmethod
    def encode(cls, columns: Sequence[TargetColumn], class_names: Sequence[str] | None = None) -> Targets:
        """The labels of every row, float32 (n, n_labels): a column for each, or one of labels with a mark between."""
        if len(columns) > 1:
            names, values = [column.name for column in columns], np.stack([column.truths() for column in columns], 1)
        else:
            names, values = _read_cells(columns[0], class_names)
        share = values[columns[0].train].mean(0)  # of training rows
        if constant := [name for name, one in zip(names, share, strict=True) if one in (0, 1)]:
            if len(constant) == len(names):
                raise UserError(f"there is nothing to learn: {_listed(names)} are the same in every training row")
            echo(f"labels that all training rows have, or none: {_listed(constant)}; nothing is learnt of them")
        fields = {"n_outputs": len(names), "class_names": names, "target": Input((len(names),))}
        return Targets(torch.from_numpy(values.astype(np.float32)), fields)

    def targets(self, columns: Sequence[TargetColumn]) -> Tensor:
        """The labels of every row, float32 (n, n_labels)."""
        if [column.name for column in columns] == list(self.spec.class_names):
            values = np.stack([column.truths() for column in columns], axis=1)
        else:
            _, values = _read_cells(columns[0], self.spec.class_names)
        return torch.from_numpy(values.astype(np.float32))

    # -- training

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean over samples and labels, from logits and targets (batch, n_labels)."""
        return self.losses(output, target).mean()

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """The weighted loss of each label, from logits and targets (..., n_labels) of that shape."""
        smoothed = target + self.label_smoothing * (0.5 - target)
        losses = self._loss(output.float(), smoothed)
        return losses * self._weights(target) if self.has_weights else losses

    def _weights(self, target: Tensor) -> Tensor:
        """Weight of each label, (..., n_labels)."""
        device = target.device
        self.class_weights, self.pos_weight = self.class_weights.to(device), self.pos_weight.to(device)
        return self.class_weights * (1 + (self.pos_weight - 1) * target)

    def distance(self, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
        """Kullback-Leibler divergence of each label's probability, the mean over samples and labels."""

        def divergence(student: Tensor, teacher: Tensor) -> Tensor:
            ours, theirs, p = student / temperature, teacher / temperature, (teacher / temperature).sigmoid()
            return (binary_cross_entropy(ours, p) - binary_cross_entropy(theirs, p)).mean() * temperature**2

        return divergence

    # -- metrics and answers

    def default_metrics(self) -> "dict[str, Metric]":
        """F1 over the labels and of each, mean average precision, and the share of samples with every label right."""
        from torchmetrics.classification import MultilabelAveragePrecision, MultilabelExactMatch, MultilabelF1Score

        names = self.spec.class_names
        each = range(len(names) if len(names) <= N_NAMED else 0)
        return {
            "f1": adapted(self, MultilabelF1Score),
            "map": adapted(self, MultilabelAveragePrecision, average="none"),
            "exact": adapted(self, MultilabelExactMatch),
            **{f"f1 {names[i]}": adapted(self, MultilabelF1Score, pick=i, average="none") for i in each},
        }

    def metric_input(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (batch, n_labels), moved so that each label's threshold is at 0.5, and labels as int64."""
        return (output.float() - self._offsets(output)).sigmoid(), target.long()

    def meaning(self, name: str) -> str:
        """What the loss or a metric means, in words."""
        label = name.removeprefix("f1 ")
        return super().meaning(name) or (f"F1 of the label {label}" if label in self.spec.class_names else "")

    def _offsets(self, output: Tensor) -> Tensor:
        """The logits of the thresholds (n_labels,)."""
        self.thresholds = self.thresholds.to(output.device)
        return self.thresholds.logit()

    def _answered(self, output: Tensor) -> Tensor:
        """Whether each label is answered, (batch, n_labels)."""
        return output >= self._offsets(output)

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """The most frequent set of labels; each label's logit is that of its share of the training samples, moved to
        its threshold where that is on the other side."""
        sets, counts = train["target"].unique(dim=0, return_counts=True)
        has, shares = sets[counts.argmax()] > 0.5, train["target"].mean(0).clamp(1e-6, 1 - 1e-6)
        edges = self._offsets(shares)
        logits = torch.where(has, shares.logit().maximum(edges + 1e-3), shares.logit().minimum(edges - 1e-3))
        return {"most frequent labels": always(logits)}

    def decode(self, output: Tensor) -> list[Any]:
        """A list of labels for each row of logits."""
        return [self._names(row) for row in self._answered(output)]

    def _names(self, has: Tensor) -> list[str]:
        return [name for name, one in zip(self.spec.class_names, has.tolist(), strict=True) if one]

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """The labels as text, and the probability of each label."""
        answers = [BETWEEN.join(labels) for labels in self.decode(output)]
        columns = self.probabilities(output).T.tolist()  # (n_labels, n)
        return beside({"prediction": answers}, "probability of", self.spec.class_names, columns)

    def probabilities(self, output: Tensor) -> Tensor:
        """The sigmoid of logits (batch, n_labels)."""
        return output.float().sigmoid()

    def combine(self, outputs: Tensor) -> Tensor:
        """Logits of the members' mean probabilities, (batch, n_labels)."""
        yes, no = (F.logsigmoid(sign * outputs.float()).logsumexp(0) for sign in (1, -1))
        return yes - no

    # -- the report

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """Precision, recall and F1 of each label, and the wrong labels of the highest probability."""
        answered, has = self._answered(output), target > 0.5
        wrong = answered != has
        rows = [self._row(index, answered[:, index], has[:, index]) for index in range(len(self.spec.class_names))]
        n, n_right = len(target), int((~wrong).all(1).sum())
        text = (
            f"Every label is right in {n_right:,} of {n:,} test samples ({n_right / n:.1%}); a sample has "
            f"{float(target.sum(1).mean()):.2f} labels on average. A label is answered from its threshold of "
            "probability on: precision is the share of the answers that are right, recall the share of the samples "
            "with the label that are found; task.threshold= moves one for the other."
        )
        heading = ("label", "samples", "answered", "precision", "recall", "F1", "threshold")
        page.section("Labels", text, page.table(heading, rows))
        self._report_mistakes(page, output, wrong, has)

    def _row(self, index: int, answered: Tensor, has: Tensor) -> list[str]:
        n_answered, n_has, n_both = (int(one.sum()) for one in (answered, has, answered & has))
        shares = [(n_both, n_answered), (n_both, n_has), (2 * n_both, n_answered + n_has)]
        cells = [f"{part / whole:.3f}" if whole else "-" for part, whole in shares]
        name, threshold = self.spec.class_names[index], f"{float(self.thresholds[index]):g}"
        return [name, f"{n_has:,}", f"{n_answered:,}", *cells, threshold]

    def _report_mistakes(self, page: "Page", output: Tensor, wrong: Tensor, has: Tensor) -> None:
        margins = torch.where(wrong, (output - self._offsets(output)).abs(), -1.0)
        surest, labels = margins.max(1)  # of each sample
        index = (surest >= 0).nonzero().squeeze(1)
        index = index[surest[index].argsort(descending=True)]
        probability, names = self.probabilities(output), self.spec.class_names
        captions = [
            {
                "true": BETWEEN.join(self._names(has[i])) or "none",
                "wrongly without" if has[i, label] else "wrongly with": names[label],
                "probability": f"{float(probability[i, label]):.1%}",
            }
            for i, label in zip(index[:N_MISTAKES].tolist(), labels[index[:N_MISTAKES]].tolist(), strict=True)
        ]
        page.samples("Surest mistakes", index, captions, "samples with a wrong label that the model was surest of")


def _for_each(value: float | Sequence[float], n: int) -> Sequence[float]:
    """One value for each of n labels."""
    return [value] * n if isinstance(value, int | float) else value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _is_binary(column: TargetColumn) -> bool:
    """Whether a column has truth values, or 0 and 1 alone."""
    return column.kind == "boolean" or (column.kind == "numeric" and set(column.distinct_numbers()) <= {0.0, 1.0})


def _read_cells(column: TargetColumn, names: Sequence[str] | None = None) -> tuple[list[str], np.ndarray]:
    """The labels, in order unless they are given, and which of them each row has (n, n_labels), from cells such as
    "cat; dog". UserError that names cells with a label that is not given."""
    cells = column.texts()
    marks = [mark for mark in MARKS if any(mark in cell for cell in cells)]
    readings = [[_parts(cell, mark) for cell in cells] for mark in marks] or [[_parts(cell) for cell in cells]]
    rows = readings[0]
    if names is not None:  # labels may have another mark in them
        rows = next((rows for rows in readings if set().union(*rows) <= set(names)), rows)
    names = column.in_order(set().union(*rows)) if names is None else list(names)
    unknown = np.array([not row <= set(names) for row in rows])
    column.refuse(f"the labels of '{column.name}' are {_listed(names[:10])}", unknown, "correct it, or leave it out")
    return list(names), np.array([[name in row for name in names] for row in rows], dtype=np.float32)


def _parts(cell: str, mark: str | None = None) -> set[str]:
    return {part.strip() for part in ([cell] if mark is None else cell.split(mark))} - {""}
