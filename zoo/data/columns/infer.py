"""What each column of a table is, told from the training rows alone, and what is to be learnt, from all."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import Column
from zoo.data.columns.remarks import code_in, remarks, say_remarks, useless_for
from zoo.data.columns.values import (
    DATES,
    WORDS,
    Place,
    as_dates,
    as_numbers,
    as_text,
    check_type,
    extent,
    is_date,
    is_number,
    is_text,
    missing,
    places_in,
    plain,
    refuse,
    since_1970,
)

KINDS = ("numeric", "boolean", "categorical", "date", "ignore")
FEW = 0.05  # a column of text with at most this share of cells that are not numbers is taken for a column of numbers
MANY_CLASSES = 20  # whole numbers with more distinct values are amounts


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
        whole = plain(table[name])
        if kinds.get(name) == "ignore":
            found.ignored.append(name)
            continue
        check_type(name, whole)
        array = whole.take(pa.array(np.sort(rows)))
        kind = kinds.get(name) or _kind(name, whole, array, place)
        reason = None if name in kinds else useless_for(name, kind, array, seen)
        if reason:
            useless.setdefault(reason, []).append(name)
            found.ignored.append(name)
            continue
        if kind == "date" and not is_date(whole.type):
            found.dates[name] = date_form(name, as_text(whole), as_text(array), place)
        if name not in kinds:
            said += remarks(name, kind, array)
        categories = _categories(name, array, max_categories) if kind == "categorical" else ()
        ends = _range(kind, array, found.dates.get(name, "ISO8601"))
        found.columns.append(Column(name, kind, tuple(categories), bool(missing(array).any()), ends))
    for reason, names in useless.items():
        echo(f"ignored, {reason}: {listed(names)}; to keep one, give its kind in a data.schema=")
    say_remarks(said)
    return found


def infer_task(target: str, column: pa.Array, rows: np.ndarray, place: Place) -> str:
    """Classification or regression, said in one line. Few distinct whole numbers are taken for classes."""
    check_type(target, column)
    if is_date(column.type):
        raise UserError(f"column '{target}' holds dates, which cannot be predicted; make them numbers, such as days")
    known = column.take(pa.array(rows)).drop_null()
    if pa.types.is_boolean(column.type) or code_in(known):
        return "classification"
    if is_text(column.type) and _not_numbers(target, column, known, place):
        return "classification"
    distinct = np.unique(as_numbers(known))
    if len(distinct) > MANY_CLASSES or (distinct != np.floor(distinct)).any() or np.isinf(distinct).any():
        echo(f"regression of '{target}'; data.task=classification if its numbers are classes")
        return "regression"
    if len(distinct) > 2:
        echo(f"'{target}' has {len(distinct)} distinct whole numbers, taken for classes; data.task=regression if it "
              "is an amount")  # fmt: skip
    return "classification"


def class_codes(
    target: str, column: pa.Array, class_names: Sequence[str] | None, place: Place
) -> tuple[np.ndarray, list[str]]:
    """The class of each row (n,), -1 where it is missing, and the classes' names, in the order of numbers or of text.

    Where names are given, the column holds names, or, which is said, whole numbers that start at 0: their places.
    """
    names = sort_texts(as_text(column).unique().drop_null()) if class_names is None else list(class_names)
    codes = places_in(names, column).fill_null(-1).to_numpy().astype(np.int64)
    known = ~missing(column)
    fix = "correct these rows"
    if pa.types.is_integer(column.type) and known.any() and (codes < 0).all() and not _are_numbers(names):
        fix = "write the names; whole numbers that start at 0 are taken for their places"
        numbers = as_numbers(column.fill_null(-1)).astype(np.int64)
        if numbers[known].min() == 0:
            echo(f"'{target}' has whole numbers, taken for the places of {listed(names)}, from 0")
            codes = numbers
    bad = known & ((codes < 0) | (codes >= len(names)))
    refuse(f"the classes of '{target}' are {listed(names)}", column, bad, place, fix)
    return codes, names


def _are_numbers(names: Sequence[str]) -> bool:
    return not np.isnan(as_numbers(pa.array(names, pa.string()))).any()


def sort_texts(texts: pa.Array) -> list[str]:
    """Distinct texts in order: that of the numbers, where all are numbers."""
    numbers = as_numbers(texts)
    order = pc.sort_indices(texts) if np.isnan(numbers).any() else pa.array(np.argsort(numbers, kind="stable"))
    return texts.take(order).to_pylist()


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names with commas, the first `most` of them."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more


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
    if not _not_numbers(name, whole, array, place):
        return "numeric"
    return "date" if date_forms(array) else "categorical"


def _range(kind: str, array: pa.Array, form: str) -> tuple[float, ...]:
    """The lowest and the highest number of a column."""
    if kind == "categorical":
        return ()
    return extent(since_1970(as_dates(array, form)).to_numpy() if kind == "date" else as_numbers(array, WORDS))


def _within_0_and_1(array: pa.Array) -> bool:
    low_and_high = pc.min_max(array)
    return low_and_high["min"].as_py() == 0 and low_and_high["max"].as_py() == 1


def _not_numbers(name: str, whole: pa.Array, array: pa.Array, place: Place) -> bool:
    """Whether text is not numbers. UserError where it is, but for a few cells."""
    known = array.drop_null()
    n_bad = int(np.isnan(as_numbers(known)).sum())
    if 0 < n_bad <= max(1, FEW * len(known)) and n_bad < len(known) - n_bad:
        bad = np.isnan(as_numbers(whole)) & ~missing(whole)
        fix = (
            f"correct them, or name a mark of missing values by data.missing=, or give '{name}' a kind in data.schema="
        )
        refuse(f"nearly all values of column '{name}' are numbers", whole, bad, place, fix)
    return n_bad > 0


def date_forms(array: pa.Array, known: Sequence[str] = DATES) -> list[str]:
    """Those of the known forms that the first dates of a column of text all have."""
    first = array.drop_null().slice(0, 100)
    if not len(first) or not pc.all(pc.match_substring_regex(first, "[0-9]")).as_py():
        return []
    forms = [form for form in known if as_dates(first.slice(0, 1), form).notna().all()]
    return [form for form in forms if as_dates(first, form).notna().all()]


def date_form(name: str, whole: pa.Array, array: pa.Array, place: Place) -> str:
    """The form of the dates of a column of text, whose training rows are `array`."""
    dates = {form: as_dates(array, form) for form in date_forms(array) or ["ISO8601"]}
    form = min(dates, key=lambda form: int(dates[form].isna().sum()))
    if (dates[form].isna().to_numpy() & ~missing(array)).any():
        bad = as_dates(whole, form).isna().to_numpy() & ~missing(whole)
        refuse(f"column '{name}' holds dates, such as 2024-12-31", whole, bad, place, "write all of them in one form")
    other = next(
        (o for o in dates if (dates[o] != dates[form]).any() and (dates[o].isna() == dates[form].isna()).all()), None
    )
    if other:
        echo(f"dates of '{name}' are read as {form}, but could be {other}")
    return form


def read_dates(name: str, column: pa.Array, place: Place) -> pd.Series:
    """The dates (n,) of a column, NaT where missing; those that are text in the one form that all have."""
    return as_dates(column, date_form(name, column, column, place) if is_text(column.type) else "ISO8601")


def _categories(name: str, array: pa.Array, most: int) -> list[str]:
    """The distinct values of a column as text, in order; the `most` frequent where there are more."""
    counts = pc.value_counts(as_text(array).drop_null()).flatten()
    table = pa.table(counts, names=["value", "count"])
    if len(table) > most:
        echo(f"'{name}' has {len(table):,} categories; all but the {most:,} most frequent count as not seen "
              "(data.max_categories)")  # fmt: skip
        table = table.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, most)
    return sort_texts(plain(table["value"]))
