"""Infer the type of each column of a table, from its training rows alone."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import unknown_name
from zoo.core.spec import Column
from zoo.data.columns.arrow import check_column_type, is_date, is_missing, is_number, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.codes import code_in
from zoo.data.columns.dates import ISO, as_dates, days_since_1970, infer_date_format, matching_date_formats
from zoo.data.columns.numbers import BOOLEAN_WORDS, as_numbers, finite_range
from zoo.data.columns.quality import SCHEMA, reason_to_ignore, remarks, report_remarks
from zoo.data.columns.text import as_text, quoted_list, sort_texts

COLUMN_KINDS = ("numeric", "boolean", "categorical", "date", "ignore")
MAX_ODD_SHARE = 0.05  # of cells that are no numbers in a column of text that is meant to be numbers


class Inferred(NamedTuple):
    """What the columns of a table hold.

    Attributes:
        columns: to learn from, in the table's order.
        ignored: headings of the others.
        dates: formats of dates that are text, by heading.
    """

    columns: list[Column]
    ignored: list[str]
    dates: dict[str, str]


def infer_columns(
    table: pa.Table, rows: np.ndarray, kinds: Mapping[str, str], max_categories: int, place: Place
) -> Inferred:
    """Infer the columns of a table; report which are ignored and which values are converted.

    Args:
        table: all rows.
        rows: the training rows.
        kinds: given kinds, which are not questioned.
        max_categories: of one column.
        place: names a row.

    Raises:
        UserError: for an unknown heading or kind, and for a few cells that do not fit the rest of their column.
    """
    _check_kinds(kinds, table.column_names)
    inferred = Inferred([], [], {})
    ignored: dict[str, list[str]] = defaultdict(list)  # by reason
    conversions: list[tuple[str, str]] = []
    seen: dict[bytes, str] = {}
    for name in table.column_names:
        if kinds.get(name) == "ignore":
            inferred.ignored.append(name)
            continue
        column = to_array(table[name])
        check_column_type(name, column)
        train = column.take(pa.array(np.sort(rows)))
        kind = kinds.get(name) or _infer_kind(name, column, train, place)
        if name not in kinds and (reason := reason_to_ignore(name, kind, train, seen)):
            ignored[reason].append(name)
            inferred.ignored.append(name)
            continue
        if kind == "date" and not is_date(column.type):
            inferred.dates[name] = infer_date_format(name, as_text(column), as_text(train), place)
        if name not in kinds:
            conversions += remarks(name, kind, train)
        categories = _infer_categories(name, train, max_categories) if kind == "categorical" else []
        bounds = _infer_range(kind, train, inferred.dates.get(name, ISO))
        inferred.columns.append(Column(name, kind, tuple(categories), bool(is_missing(train).any()), bounds))
    for reason, names in ignored.items():
        echo(f"ignored, {reason}: {quoted_list(names)}; to keep one, {SCHEMA}")
    report_remarks(conversions)
    return inferred


def _check_kinds(kinds: Mapping[str, str], names: Collection[str]) -> None:
    for name, kind in kinds.items():
        if name not in names:
            raise unknown_name("column", name, names)
        if kind not in COLUMN_KINDS:
            raise unknown_name(f"kind of column ('{name}')", kind, COLUMN_KINDS)


def _infer_kind(name: str, column: pa.Array, train: pa.Array, place: Place) -> str:
    """Infer the kind of a column from its training rows."""
    if pa.types.is_boolean(train.type):
        return "boolean"
    if pa.types.is_null(train.type) or is_number(train.type):
        if pa.types.is_integer(train.type) and _is_0_and_1(train):
            return "boolean"
        return "categorical" if code_in(train) else "numeric"
    if is_date(train.type):
        return "date"
    if code_in(train):
        return "categorical"
    if not holds_text(name, column, train, place):
        return "numeric"
    return "date" if matching_date_formats(train) else "categorical"


def _is_0_and_1(array: pa.Array) -> bool:
    bounds = pc.min_max(array)
    return bounds["min"].as_py() == 0 and bounds["max"].as_py() == 1


def holds_text(name: str, column: pa.Array, train: pa.Array, place: Place) -> bool:
    """Whether a column of text holds more than numbers; UserError if only a few cells do."""
    known = train.drop_null()
    n_odd = int(np.isnan(as_numbers(known)).sum())
    if 0 < n_odd <= max(1, MAX_ODD_SHARE * len(known)) and n_odd < len(known) - n_odd:
        odd = np.isnan(as_numbers(column)) & ~is_missing(column)
        marks = "name a mark of missing values by data.missing="
        fix = f"correct them, or {marks}, or set the kind of '{name}' in a schema file, data.schema=FILE"
        refuse_cells(f"nearly all values of column '{name}' are numbers", column, odd, place, fix)
    return n_odd > 0


def _infer_range(kind: str, array: pa.Array, form: str) -> tuple[float, ...]:
    """The lowest and highest number of a column; a date as days since 1970."""
    if kind == "categorical":
        return ()
    if kind == "date":
        return finite_range(days_since_1970(as_dates(array, form)).to_numpy())
    return finite_range(as_numbers(array, BOOLEAN_WORDS))


def _infer_categories(name: str, array: pa.Array, most: int) -> list[str]:
    """The distinct values of a column as text, in order; only the `most` frequent if there are more."""
    counts = pc.value_counts(as_text(array).drop_null()).flatten()
    table = pa.table(counts, names=["value", "count"])
    if len(table) > most:
        echo(f"'{name}' has {len(table):,} categories; all but the {most:,} most frequent count as unseen "
             "(data.max_categories)")  # fmt: skip
        table = table.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, most)
    return sort_texts(to_array(table["value"]))
