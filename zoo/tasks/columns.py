"""Raw target columns, which a data set passes to a task."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor


class Targets(NamedTuple):
    """The target of every row, and what is known of them.

    Attributes:
        values: (n, ...), of any value where the row has no target.
        fields: of the `DataSpec`: n_outputs, and target or class_names where they are not the defaults.
    """

    values: Tensor
    fields: dict[str, Any]


class Fit(NamedTuple):
    """How well columns of targets suit a task.

    Attributes:
        score: 0 where they do not, 1 where they may, 2 where no other task is more natural.
        remark: what to tell the user if the task is chosen, such as how to choose another.
    """

    score: int
    remark: str = ""


class TargetColumn(Protocol):
    """A column of targets, with n rows. Messages name a row as the user knows it.

    Attributes:
        name: its heading.
        kind: "boolean", "categorical" or "numeric", inferred from the training rows.
        kind_is_given: whether the user gave its kind.
        train: the rows (n_train,) that the spec is inferred from; all have a value.
    """

    @property
    def name(self) -> str: ...

    @property
    def train(self) -> np.ndarray: ...

    @property
    def kind(self) -> str: ...

    @property
    def kind_is_given(self) -> bool: ...

    def numbers(self) -> np.ndarray:
        """Numbers (n,) in float64, NaN where missing. Raises UserError that names cells that are not numbers."""

    def truths(self) -> np.ndarray:
        """1.0 for true, 0.0 for false (n,), NaN where missing, of 0 and 1, true and false, yes and no. Raises UserError
        that names cells which are neither."""

    def classes(self, names: Sequence[str] | None = None) -> tuple[np.ndarray, list[str]]:
        """The class of each row (n,), -1 where missing, and the names of the classes in order; those given, or all
        distinct values. Raises UserError that names cells of other classes."""

    def texts(self) -> list[str]:
        """The text of each row, without spaces around it; "" where missing."""

    def in_order(self, texts: Iterable[str]) -> list[str]:
        """Distinct texts in the order that classes have: of the numbers where all are numbers."""

    def distinct_numbers(self) -> np.ndarray:
        """The distinct numbers of the training rows, in order."""

    def refuse(self, rule: str, bad: np.ndarray, fix: str) -> None:
        """Raise UserError with the rule, the cells of the mask `bad` (n,) and the fix, if there are any."""

    def report(self, kind: str) -> None:
        """Tell the user what is odd about the column, read as "categorical" or "numeric"."""
