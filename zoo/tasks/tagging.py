"""Tagging: one of several classes at each step of a sequence."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from zoo.core.spec import IGNORE_INDEX, Input

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS, Answer, beside
from zoo.tasks.classification import Classification, log_shares, single_column
from zoo.tasks.columns import Fit, TargetColumn, Targets
from zoo.tasks.steps import StepClasses, step_counts

N_DRAWN = 3  # in a report


@TASKS.register("tagging")
class Tagging(StepClasses):
    """One of several classes at each step of a sequence, which a network may read in both directions; the arguments are
    those of `StepClasses`."""

    answers_steps = True
    score, score_mode, n_reported = "accuracy", "max", 1000
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers",
        "accuracy": "share of steps with the right answer, of those that have a label",
        "f1": "harmonic mean of precision and recall of a class's steps, averaged over the classes",
    }

    # -- targets from columns of a user's file: a row is a step

    @classmethod
    def fits(cls, columns: Sequence[TargetColumn]) -> Fit:
        """As `Classification`."""
        score = Classification.fits(columns).score
        names = ", ".join(column.name for column in columns)
        return Fit(score, f"'{names}' changes within sequences: a label for each step is learnt (data.task=tagging)")

    @classmethod
    def encode(cls, columns: Sequence[TargetColumn], class_names: Sequence[str] | None = None) -> Targets:
        """The class of every step, int64 (n_steps,), IGNORE_INDEX where it has none."""
        values, fields = Classification.encode(columns, class_names)
        target = Input((None,), "int64", ("time",))
        return Targets(_without_missing(values), {**fields, "target": target, "causal": False})

    def targets(self, columns: Sequence[TargetColumn]) -> Tensor:
        """The class of every step, int64 (n_steps,), IGNORE_INDEX where it has none."""
        codes, _ = single_column(columns, "tagging").classes(self.spec.class_names)
        return _without_missing(torch.from_numpy(codes))

    # -- metrics and answers

    def default_metrics(self) -> "dict[str, Metric]":
        """Accuracy, and F1 averaged over the classes, of all steps that have a label."""
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        n = self.spec.n_outputs
        return {"accuracy": MulticlassAccuracy(n, average="micro"), "f1": MulticlassF1Score(n, average="macro")}

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """The majority class: each class with its share of the steps of the training split."""
        shares = log_shares(train["target"][train["target"] != IGNORE_INDEX], self.spec.n_outputs)
        return {"majority class": lambda batch: shares.expand(*batch["target"].shape, -1)}

    def decode(self, output: Tensor) -> list[Any]:
        """A list of class names for each sequence, one for each of its steps."""
        names, indices = self.spec.class_names, output.argmax(2).tolist()
        return [[names[i] for i in row[:n]] for row, n in zip(indices, step_counts(output), strict=True)]

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """A row for each step: its number, the answer, and the probability of each class."""
        rows = chain.from_iterable(range(1, n + 1) for n in step_counts(output))
        own = {"step": list(rows), "prediction": list(chain.from_iterable(self.decode(output)))}
        probabilities = self.probabilities(output)  # (batch, time, n_classes)
        columns = probabilities[~output[..., 0].isnan()].T.tolist()  # (n_classes, n_steps)
        return beside(own, "probability of", self.spec.class_names, columns)

    def probabilities(self, output: Tensor) -> Tensor:
        """The softmax of logits (batch, time, n_classes)."""
        return output.float().softmax(2)

    # -- the report

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """The confusion matrix of steps."""
        names, known = self.spec.class_names, target != IGNORE_INDEX
        true, predicted = target[known], output.argmax(2)[known]
        n, n_right = len(true), int((true == predicted).sum())
        counts = torch.bincount(true * len(names) + predicted, minlength=len(names) ** 2).view(len(names), -1)
        text = (
            f"{n_right:,} of {n:,} labelled steps of the first {len(target):,} test sequences are right "
            f"({n_right / n:.1%}). A row is a true class, a column what the model answered; the shade grows with the "
            "share of the row."
        )
        page.section("Confusion matrix", text, page.confusion(counts, names))
        probability, classes = self.probabilities(output), torch.arange(len(names))
        drawn = [
            page.labels_over_time(names, target[i, :n, None] == classes, probability[i, :n])
            for i, n in enumerate((target[:N_DRAWN] != IGNORE_INDEX).long().cumsum(1).argmax(1).add(1).tolist())
        ]
        page.section(
            "Labels over time",
            f"The first {len(drawn)} test sequences: the darker, the higher the probability of a class at a step; a "
            "ring is the label.",
            *drawn,
        )


def _without_missing(codes: Tensor) -> Tensor:
    """Codes (n,) with IGNORE_INDEX instead of -1."""
    return codes.masked_fill(codes < 0, IGNORE_INDEX)
