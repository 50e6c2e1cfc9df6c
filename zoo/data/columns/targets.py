"""Columns of targets, and which task they call for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.columns.arrow import check_column_type, is_date, is_missing, is_text, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.codes import code_in
from zoo.data.columns.encode import encode_classes
from zoo.data.columns.infer import holds_text
from zoo.data.columns.numbers import BOOLEAN_WORDS, as_numbers, exceeds_float32, require_numbers
from zoo.data.columns.quality import remarks, report_outliers, report_remarks
from zoo.data.columns.text import as_text, sort_texts
from zoo.tasks import TASKS, Task

TARGET_KINDS = ("numeric", "boolean", "categorical")


@dataclass(frozen=True)
class ArrowTargets:
    """A column of targets as an Arrow array, see `zoo.tasks.columns.TargetColumn`.

    Args:
        name: its heading.
        array: (n,).
        place: names a row in messages.
        train: the rows that the spec is inferred from.
        given_kind: "numeric", "boolean" or "categorical" if the user gave it.
        class_rows: the rows whose values are the classes; None for all.
        used: the rows of all splits, to report on; None reports nothing.
        beside: the other columns, which help to recognise a row in a report.
    """

    name: str
    array: pa.Array
    place: Place
    train: np.ndarray
    given_kind: str | None = None
    class_rows: np.ndarray | None = None
    used: np.ndarray | None = None
    beside: pa.Table = field(default_factory=lambda: pa.table({}))

    @property
    def kind_is_given(self) -> bool:
        """Whether the user gave its kind."""
        return self.given_kind in TARGET_KINDS

    @cached_property
    def kind(self) -> str:
        """The kind given, or inferred from the training rows; UserError for dates, and for numbers with a few others
        among them."""
        if self.given_kind in TARGET_KINDS:
            return str(self.given_kind)
        check_column_type(self.name, self.array)
        if is_date(self.array.type):
            fix = "which cannot be predicted; make them numbers, such as days"
            raise UserError(f"column '{self.name}' holds dates, {fix}")
        if pa.types.is_boolean(self.array.type):
            return "boolean"
        known = self._known()
        text = is_text(self.array.type) and holds_text(self.name, self.array, known, self.place)
        return "categorical" if text or code_in(known) else "numeric"

    def _known(self) -> pa.Array:
        """The values of the training rows."""
        return self.array.take(pa.array(self.train)).drop_null()

    def numbers(self) -> np.ndarray:
        """Numbers (n,), NaN where missing; those that are infinite or beyond float32 are refused."""
        rule, fix = f"every value of '{self.name}' is a number, such as 2.5", "correct it, or leave the row out"
        values = require_numbers(self.array, rule, self.place, fix)
        self.refuse(f"{rule}, below 3e38", exceeds_float32(values), fix)
        return values

    def truths(self) -> np.ndarray:
        """1.0 for true, 0.0 for false (n,), NaN where missing."""
        rule, fix = f"every value of '{self.name}' is 0 or 1, true or false, yes or no", "correct it, or leave it empty"
        values = require_numbers(self.array, rule, self.place, fix, BOOLEAN_WORDS)
        self.refuse(rule, ~np.isin(values, (0, 1)) & ~np.isnan(values), fix)
        return values

    def classes(self, names: Sequence[str] | None = None) -> tuple[np.ndarray, list[str]]:
        """The class of each row (n,), -1 where missing, and the names of the classes."""
        if names is None:
            rows = self.array if self.class_rows is None else self.array.take(pa.array(self.class_rows))
            names = sort_texts(as_text(rows).unique().drop_null())
        return encode_classes(self.name, self.array, names, self.place)

    def texts(self) -> list[str]:
        """The text of each row, "" where missing."""
        return as_text(self.array).fill_null("").to_pylist()

    def in_order(self, texts: Iterable[str]) -> list[str]:
        """Distinct texts in the order that classes have."""
        return sort_texts(pa.array(sorted(set(texts)), pa.string()))

    def distinct_numbers(self) -> np.ndarray:
        """The distinct numbers of the training rows, in order."""
        return np.unique(as_numbers(self._known()))

    def refuse(self, rule: str, bad: np.ndarray, fix: str) -> None:
        """Raise UserError if any row of the mask `bad` (n,) is, naming the first three."""
        refuse_cells(rule, self.array, bad, self.place, fix)

    def report(self, kind: str) -> None:
        """Tell the user what was converted or merged, and which numbers are far from all others."""
        if self.used is None:
            return
        report_remarks(remarks(self.name, kind, self.array.take(pa.array(self.used))))
        if kind == "numeric":
            report_outliers(self.name, self.numbers(), self.beside, self.used, self.place)

    def known(self) -> np.ndarray:
        """Mask (n,) of rows with a value."""
        return ~is_missing(self.array)


def target_columns(
    table: pa.Table,
    names: Sequence[str],
    train: np.ndarray,
    place: Place,
    kinds: Mapping[str, str] | None = None,
    **options: Any,
) -> list[ArrowTargets]:
    """The named columns of a table as targets; `kinds` are those given, the rest is as in `ArrowTargets`."""
    return [
        ArrowTargets(name, to_array(table[name]), place, train, given_kind=(kinds or {}).get(name), **options)
        for name in names
    ]


def target_names(spec: DataSpec) -> list[str]:
    """The headings of the columns of targets that a spec was inferred from."""
    return list(spec.reading.get("targets", [spec.target_name]))


def rows_with_targets(columns: Sequence[ArrowTargets], task: type[Task] | Task | None) -> np.ndarray:
    """The rows that have a target of the task: a value in each column, unless an empty cell is a target too."""
    empty = task is not None and task.reads_empty(len(columns))
    return np.flatnonzero(np.logical_and.reduce([column.known() | empty for column in columns]))


def choose_task(columns: Sequence[ArrowTargets], *, per_step: bool = False) -> str:
    """The name of the task that the columns suit best, of those with a target for each step of a sequence or those
    without; tells the user how to choose another.

    Raises:
        UserError: where they suit none.
    """
    tasks = {name: TASKS.get(name) for name in TASKS.names()}
    fits = {
        name: task.fits(columns) for name, task in tasks.items() if "fits" in vars(task) and task.per_step == per_step
    }
    name = max(fits, key=lambda name: fits[name].score)
    if not fits[name].score:
        names = ", ".join(f"'{column.name}' ({column.kind})" for column in columns)
        if per_step:
            raise UserError(
                f"a label for each step is one of a few classes; {names} has many, and changes within sequences\n"
                "data.task=tagging takes every value for a class; a series to forecast: data=series"
            )
        raise UserError(f"no task learns {names} together; name one by data.task=, or predict a single column")
    if fits[name].remark:
        echo(fits[name].remark)
    return name
