"""Where the columns of a user's table are among the tensors of a batch, and what a model answers for its rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.spec import Column, DataSpec
from zoo.data.columns.encode import numeric_names_of
from zoo.inference.predictor import Predictor

TABLE_INPUTS: tuple[str, ...] = ("numeric", "categorical")


@dataclass(frozen=True)
class TableColumn:
    """A column of a table as a batch has it.

    Attributes:
        column: its heading and kind.
        input: "numeric" or "categorical".
        entries: its places along the last axis of that input; several for a date, or one with missing values.
    """

    column: Column
    input: str
    entries: Sequence[int]


def table_columns(spec: DataSpec) -> list[TableColumn]:
    """The columns of a table, in their order; numbered where the data set names none."""
    found, n_used = [], dict.fromkeys(TABLE_INPUTS, 0)
    for column in spec.columns or _numbered(spec):
        name = "categorical" if column.kind == "categorical" else "numeric"
        start = n_used[name]
        n_used[name] += len(numeric_names_of(column)) if name == "numeric" else 1
        found.append(TableColumn(column, name, range(start, n_used[name])))
    return found


def _numbered(spec: DataSpec) -> Iterator[Column]:
    if "numeric" in spec.inputs:
        yield from (Column(f"column {index}") for index in range(spec.inputs["numeric"].shape[0] or 0))
    for index, n in enumerate(spec.inputs["categorical"].cardinalities if "categorical" in spec.inputs else ()):
        yield Column(f"category {index}", "categorical", tuple(str(code) for code in range(1, n)))


class Answers:
    """What a model answers, as numbers: the probability of each class or label, or values in the target's units.

    Attributes:
        names: of the answers: classes, or what is predicted.
        unit: of all of them, for an axis.
    """

    def __init__(self, predictor: Predictor):
        spec = predictor.spec
        self.predictor, self.has_classes = predictor, predictor.task.has_classes
        self.names = list(spec.class_names) if self.has_classes else [spec.target_name]
        if not self.has_classes and spec.n_outputs > 1:
            self.names = [f"{spec.target_name}, output {index}" for index in range(spec.n_outputs)]
        self.unit = "probability" if self.has_classes else spec.target_name

    def __call__(self, output: Tensor) -> Tensor:
        """The answers (n, n_answers) of outputs (n, ...) in the target's units."""
        task = self.predictor.task
        return task.probabilities(output) if self.has_classes else task.value(output).flatten(1)

    def explained(self, output: Tensor, likeliest: Tensor) -> Tensor:
        """The answers (n, n_explained) whose changes are measured: the probability of the likeliest class or label, or
        the value; several values on the scale of the loss, as their units may differ.

        Args:
            output: (n, ...), in the target's units.
            likeliest: the answer (n,) that was the largest for the rows as they are.
        """
        if self.has_classes:
            return self(output).gather(1, likeliest[:, None])
        value = self.predictor.task.value(output)
        return value if len(self.names) == 1 else self.predictor.model.preprocess.scale_target(value).flatten(1)

    def likeliest(self, output: Tensor) -> Tensor:
        """The largest answer (n,) of each row."""
        return self(output).argmax(1)


def choose_rows(n: int, n_chosen: int, generator: torch.Generator) -> Tensor:
    """At most `n_chosen` of `n` rows, at random, in their order."""
    return torch.randperm(n, generator=generator)[:n_chosen].sort().values
