"""Finding the columns that order a table's rows in time, where the user names none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.columns.arrow import is_date, is_number, is_text, to_array
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.dates import matching_date_formats
from zoo.data.columns.numbers import as_numbers
from zoo.data.columns.text import as_text
from zoo.data.sequences.files.id_columns import possible_ids
from zoo.data.sequences.files.time_values import (
    FORMS,
    UNITS,
    dates_of_numbers,
    is_clock,
    normalise_periods,
    parse_dates,
    period_columns,
)

TIME_NAMES = (
    *("time", "timestamp", "stamp", "date", "datetime", "ds", "ts", "t", "step", "epoch", "unix", "unixtime"),
    *("unix_time", "unix_timestamp", "period", "year", "month", "quarter", "week", "day", "hour"),
    *("elapsed", "elapsed_time", "seconds", "sec", "millis", "milliseconds", "micros", "ms", "zeit"),
    *("", "column 1", "unnamed: 0", "index", "idx", "no", "nr", "row"),
)
UNIT = re.compile(r"[\[(][^\[\]()]*[\])]$|[ _](s|sec|secs|seconds|ms|us|ns|min|h)$")  # after a name
LONG = 1e7  # numbers from here on have the digits of a day, or of an instant


@dataclass(frozen=True)
class _Candidates:
    """Columns that may hold times.

    Attributes:
        dates: columns of dates.
        clocks: columns of times of day.
        parts: numbers named after units, such as year, month and hour.
        whole: columns that make a date together.
        counted: numbers that are times, such as seconds since 1970.
    """

    dates: list[str]
    clocks: list[str]
    parts: list[str]
    whole: list[str]
    counted: list[str]


def find_times(table: pa.Table, taken: Sequence[str], place: Place) -> tuple[list[str], list[str]]:
    """Find the columns that order the rows, and all others that hold times and are no channel; none of `taken`."""
    columns = {name: to_array(table[name]) for name in table.column_names if name not in taken}
    found = _candidates(table, columns, keep_numbers=not taken)
    if not found.dates and found.whole:
        names = found.whole
    elif found.dates or found.counted:
        date = max([*found.dates, *found.counted], key=lambda name: pc.count_distinct(columns[name]).as_py())
        names = _with_clock(date, columns[date], found, place)
    else:
        names = [name for name in found.clocks if pc.count_distinct(columns[name]).as_py() == table.num_rows][:1]
    all_times = (*found.dates, *found.clocks, *found.counted, *found.whole)
    return names, [name for name in all_times if name not in names]


def _candidates(table: pa.Table, columns: dict[str, pa.Array], keep_numbers: bool) -> _Candidates:
    """The columns that may hold times. With `keep_numbers`, numbers are not all times: one is left to forecast."""
    clocks = [name for name, column in columns.items() if is_clock(column)]
    dates = [name for name, column in columns.items() if name not in clocks and _is_date(column)]
    numbers = [name for name, column in columns.items() if is_number(column.type) and name not in clocks]
    parts = [name for name in numbers if name.lower() in UNITS]
    whole = parts if {"year", "month"} <= {name.lower() for name in parts} else period_columns(columns)
    counted = [name for name in numbers if name not in whole and _is_counted(table, name, columns[name])]
    if keep_numbers and len(counted) == len(numbers):
        counted = []
    return _Candidates(dates, clocks, parts, whole, counted)


def _is_date(column: pa.Array) -> bool:
    if is_text(column.type):
        return bool(matching_date_formats(normalise_periods(as_text(column)), FORMS))
    return is_date(column.type)


def _is_counted(table: pa.Table, name: str, column: pa.Array) -> bool:
    """Whether numbers are times: dates or rising numbers under a usual name, or dates in order under another one."""
    values = as_numbers(column)
    if not np.isfinite(values).all():
        return False
    base = UNIT.sub("", name.lower()).rstrip(" _")
    index, usual = dates_of_numbers(column), base in TIME_NAMES
    dated, long = isinstance(index, pd.DatetimeIndex), np.abs(values).min() >= LONG
    if usual and dated and (long or base not in ("t", "step")):
        return True
    if _in_order(values, np.zeros(len(values))):
        return usual or (dated and bool(long))
    if not usual or base in UNITS:
        return False
    return any(_in_order(values, codes) for _, codes in possible_ids(table, [name]))  # of several series


def _in_order(values: np.ndarray, codes: np.ndarray) -> bool:
    """Whether values always rise, or always fall, among the rows of each code."""
    order = np.argsort(codes, kind="stable")
    steps = np.diff(values[order])[np.diff(codes[order]) == 0]
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _with_clock(date: str, column: pa.Array, found: _Candidates, place: Place) -> list[str]:
    """A column of dates, with the column of the clock where plain days occur several times."""
    clock = found.clocks if len(found.clocks) == 1 else []
    if not found.clocks:
        clock = [name for name in found.parts if UNITS[name.lower()]]
    if not clock or pc.count_distinct(column).as_py() == len(column):
        return [date]
    index, _ = parse_dates(date, column, place, quiet=True)
    days = isinstance(index, pd.DatetimeIndex) and (index.dropna() == index.dropna().normalize()).all()
    return [date, *clock] if days else [date]
