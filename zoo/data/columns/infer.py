"""What each column of a table is, told from the training rows alone, and what is to be learnt, from all."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import unknown_name
from zoo.core.spec import Column
from zoo.data.columns.arrow import check_column_type, is_date, is_missing, is_number, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.dates import as_dates, days_since_1970, infer_date_format, matching_date_formats
from zoo.data.columns.numbers import BOOLEAN_WORDS, as_numbers, finite_range
from zoo.data.columns.quality import code_in, reason_to_ignore, remarks, report_remarks
from zoo.data.columns.text import as_text, index_in, quoted_list, sort_texts

KINDS = ("numeric", "boolean", "categorical", "date", "ignore")
FEW = 0.05  # a column of text with at most this share of cells that are not numbers is taken for a column of numbers


class Inferred(NamedTuple):
    """The columns to learn from, in the table's order; the others; and the form of dates that are text."""

    columns: list[Column]
    ignored: list[str]
    dates: dict[str, str]


def infer_columns(
    table: pa.Table, rows: np.ndarray, kinds: Mapping[str, str], max_categories: int, place: Place
) -> Inferred:
    """Tell the columns of `table` from the rows `rows`; `kinds` are given and not questioned."""
    for name, kind in kinds.items():
        if name not in table.column_names:
            raise unknown_name("column", name, table.column_names)
        if kind not in KINDS:
            raise unknown_name(f"kind of column ('{name}')", kind, KINDS)
    found = Inferred([], [], {})
    useless: dict[str, list[str]] = {}
    said: list[tuple[str, str]] = []
    seen: dict[bytes, str] = {}
    for name in table.column_names:
        whole = to_array(table[name])
        if kinds.get(name) == "ignore":
            found.ignored.append(name)
            continue
        check_column_type(name, whole)
        array = whole.take(pa.array(np.sort(rows)))
        kind = kinds.get(name) or _kind(name, whole, array, place)
        reason = None if name in kinds else reason_to_ignore(name, kind, array, seen)
        if reason:
            useless.setdefault(reason, []).append(name)
            found.ignored.append(name)
            continue
        if kind == "date" and not is_date(whole.type):
            found.dates[name] = infer_date_format(name, as_text(whole), as_text(array), place)
        if name not in kinds:
            said += remarks(name, kind, array)
        categories = _categories(name, array, max_categories) if kind == "categorical" else ()
        ends = _range(kind, array, found.dates.get(name, "ISO8601"))
        found.columns.append(Column(name, kind, tuple(categories), bool(is_missing(array).any()), ends))
    for reason, names in useless.items():
        echo(f"ignored, {reason}: {quoted_list(names)}; to keep one, give its kind in a data.schema=")
    report_remarks(said)
    return found


def encode_classes(target: str, column: pa.Array, names: Sequence[str], place: Place) -> tuple[np.ndarray, list[str]]:
    """Encode the class of each row (n,), -1 where missing, and return the names of the classes too.

    The column holds names, or whole numbers that start at 0: their places, which is reported.
    """
    names = list(names)
    codes = index_in(names, column).fill_null(-1).to_numpy().astype(np.int64)
    known = ~is_missing(column)
    fix = "correct these rows"
    if pa.types.is_integer(column.type) and known.any() and (codes < 0).all() and not _are_numbers(names):
        fix = "write the names; whole numbers that start at 0 are taken for their places"
        numbers = as_numbers(column.fill_null(-1)).astype(np.int64)
        if numbers[known].min() == 0:
            echo(f"'{target}' has whole numbers, taken for the places of {quoted_list(names)}, from 0")
            codes = numbers
    bad = known & ((codes < 0) | (codes >= len(names)))
    refuse_cells(f"the classes of '{target}' are {quoted_list(names)}", column, bad, place, fix)
    return codes, names


def _are_numbers(names: Sequence[str]) -> bool:
    return not np.isnan(as_numbers(pa.array(names, pa.string()))).any()


def _kind(name: str, whole: pa.Array, array: pa.Array, place: Place) -> str:
    """The kind of a column, whose training rows are `array`."""
    if pa.types.is_boolean(array.type):
        return "boolean"
    if pa.types.is_null(array.type) or is_number(array.type):
        if pa.types.is_integer(array.type) and _within_0_and_1(array):
            return "boolean"
        return "categorical" if code_in(array) else "numeric"
    if is_date(array.type):
        return "date"
    if code_in(array):
        return "categorical"
    if not holds_text(name, whole, array, place):
        return "numeric"
    return "date" if matching_date_formats(array) else "categorical"


def _range(kind: str, array: pa.Array, form: str) -> tuple[float, ...]:
    """The lowest and the highest number of a column."""
    if kind == "categorical":
        return ()
    return finite_range(
        days_since_1970(as_dates(array, form)).to_numpy() if kind == "date" else as_numbers(array, BOOLEAN_WORDS)
    )


def _within_0_and_1(array: pa.Array) -> bool:
    low_and_high = pc.min_max(array)
    return low_and_high["min"].as_py() == 0 and low_and_high["max"].as_py() == 1


def holds_text(name: str, whole: pa.Array, array: pa.Array, place: Place) -> bool:
    """Whether text is not numbers. UserError where it is, but for a few cells."""
    known = array.drop_null()
    n_bad = int(np.isnan(as_numbers(known)).sum())
    if 0 < n_bad <= max(1, FEW * len(known)) and n_bad < len(known) - n_bad:
        bad = np.isnan(as_numbers(whole)) & ~is_missing(whole)
        fix = (
            f"correct them, or name a mark of missing values by data.missing=, or give '{name}' a kind in data.schema="
        )
        refuse_cells(f"nearly all values of column '{name}' are numbers", whole, bad, place, fix)
    return n_bad > 0


def _categories(name: str, array: pa.Array, most: int) -> list[str]:
    """The distinct values of a column as text, in order; the `most` frequent where there are more."""
    counts = pc.value_counts(as_text(array).drop_null()).flatten()
    table = pa.table(counts, names=["value", "count"])
    if len(table) > most:
        echo(f"'{name}' has {len(table):,} categories; all but the {most:,} most frequent count as not seen "
              "(data.max_categories)")  # fmt: skip
        table = table.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, most)
    return sort_texts(to_array(table["value"]))
