"""What orders the rows of a table: dates, clocks and numbers in any common form, in one column or in several."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import is_date, is_missing, is_number, is_text, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.dates import DATE_FORMATS, as_dates, matching_date_formats
from zoo.data.columns.numbers import as_numbers
from zoo.data.columns.text import as_text
from zoo.data.sequences.files.id_columns import possible_ids

USUAL = (
    *("time", "timestamp", "stamp", "date", "datetime", "ds", "ts", "t", "step", "epoch", "unix", "unixtime"),
    *("unix_time", "unix_timestamp", "period", "year", "month", "quarter", "week", "day", "hour"),
    *("elapsed", "elapsed_time", "seconds", "sec", "millis", "milliseconds", "micros", "ms", "zeit"),
    *("", "column 1", "unnamed: 0", "index", "idx", "no", "nr", "row"),
)
UNIT = re.compile(r"[\[(][^\[\]()]*[\])]$|[ _](s|sec|secs|seconds|ms|us|ns|min|h)$")  # behind a name
UNITS = {"year": 0, "month": 0, "day": 0, "hour": 3600, "minute": 60, "second": 1}  # seconds of those of a clock
MONTHS = ("%b %Y", "%B %Y", "%Y %b", "%Y %B", "%b-%Y", "%b-%y", "%b %y", "%m/%Y", "%m.%Y", "%m-%Y", "%Y/%m", "%YM%m")
FORMS = (*DATE_FORMATS, *MONTHS, "%Y.%m.%d", "%Y%m%d %H%M", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S", "%G-W%V-%u")
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I%p", "%I %p")
MIDNIGHT = pd.Timestamp("1900-01-01")  # of a clock's form
DIGITS = ("%Y", "%Y%m", "%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
YEARS = (1500, 2200)  # of times that are digits
EPOCH = (315_532_800, 4_102_444_800)  # seconds since 1970 of the years 1980 to 2100
PER_SECOND: dict[Literal["s", "ms", "us", "ns"], int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
LONG = 1e7  # numbers from here on have the digits of a day, or of an instant


class Times(NamedTuple):
    """The columns that order a table's rows, none for the order in which they lie; the dates or numbers (n_rows,) that
    they hold; and the form of dates that are text."""

    names: list[str]
    values: pd.Index
    form: str | None = None


def read_times(table: pa.Table, names: Sequence[str], place: Place, form: str | None = None) -> Times:
    """The times in the columns `names`: one, or a date and its clock, or a year, a month and so on.

    Args:
        table: with the columns.
        names: of the columns.
        place: of a row, in messages.
        form: to try first on dates that are text, such as that of the training file.

    Raises:
        UserError: for a row without a time, and columns that make no time together.
    """
    if not names:
        return Times([], pd.RangeIndex(table.num_rows))
    columns = {name: to_array(table[name]) for name in names}
    if len(names) == len(_part_of_year(columns)):
        index, form = _dates(" and ".join(names), _periods_of(columns), place, form)
        return Times(list(names), index, form)
    if len(names) > 1 and {"year"} <= {name.lower() for name in names} <= set(UNITS):
        return Times(list(names), _from_parts(columns, place))
    clocks = [name for name in names if _is_clock(columns[name])]
    if len(names) == 1 and clocks:
        return Times(list(names), pd.Index(_clock(names[0], columns[names[0]], place).total_seconds()))
    written = [name for name in names if name not in clocks and not is_number(columns[name].type)]
    dates = written or [name for name in names if isinstance(_from_numbers(columns[name]), pd.DatetimeIndex)]
    dates = list(names) if len(names) == 1 else dates
    if len(dates) != 1:
        raise UserError(
            f"several columns of time are a date and its clock, or year, month, day and so on; {', '.join(names)} hold "
            f"{len(dates)} dates\ngive such columns: data.time=[Date,Time]"
        )
    index, form = _dates(dates[0], columns[dates[0]], place, form)
    for name in names:
        if name != dates[0]:
            index = index + _clock(name, columns[name], place)
    return Times(list(names), index, form)


def find_times(table: pa.Table, taken: Sequence[str], place: Place) -> tuple[list[str], list[str]]:
    """The columns that order the rows, and all others that hold times and are no channel; not those in `taken`."""
    columns = {name: to_array(table[name]) for name in table.column_names if name not in taken}
    clocks = [name for name, column in columns.items() if _is_clock(column)]
    dates = [name for name, column in columns.items() if name not in clocks and _is_date(column)]
    numbers = [name for name, column in columns.items() if is_number(column.type) and name not in clocks]
    parts = [name for name in numbers if name.lower() in UNITS]
    whole = parts if {"year", "month"} <= {name.lower() for name in parts} else _part_of_year(columns)  # a date
    counted = [name for name in numbers if name not in whole and _is_counted(table, name, columns[name])]
    if not taken and len(counted) == len(numbers):
        counted = []  # else there is nothing left to forecast
    if not dates and whole:
        names = whole
    elif dates or counted:
        date = max([*dates, *counted], key=lambda name: pc.count_distinct(columns[name]).as_py())
        names = _with_clock(date, columns[date], clocks, parts, place)
    else:
        names = [name for name in clocks if pc.count_distinct(columns[name]).as_py() == table.num_rows][:1]
    return names, [name for name in (*dates, *clocks, *counted, *whole) if name not in names]


def _is_date(column: pa.Array) -> bool:
    return is_date(column.type) or (
        is_text(column.type) and bool(matching_date_formats(_periods(as_text(column)), FORMS))
    )


def _is_clock(column: pa.Array) -> bool:
    return pa.types.is_time(column.type) or (is_text(column.type) and bool(matching_date_formats(column, CLOCKS)))


def _is_counted(table: pa.Table, name: str, column: pa.Array) -> bool:
    """Whether numbers are times: of a usual name, dates or counted up; of another, dates in order."""
    values = as_numbers(column)
    if not np.isfinite(values).all():
        return False
    called = UNIT.sub("", name.lower()).rstrip(" _")
    index, usual = _from_numbers(column), called in USUAL
    dated, long = isinstance(index, pd.DatetimeIndex), np.abs(values).min() >= LONG
    if usual and dated and (long or called not in ("t", "step")):
        return True
    if _in_order(values, np.zeros(len(values))):
        return usual or (dated and bool(long))
    if not usual or called in UNITS:
        return False
    return any(_in_order(values, codes) for _, codes in possible_ids(table, [name]))  # of several series


def _in_order(values: np.ndarray, codes: np.ndarray) -> bool:
    """Whether values always rise, or always fall, among the rows of each code."""
    order = np.argsort(codes, kind="stable")
    steps = np.diff(values[order])[np.diff(codes[order]) == 0]
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _with_clock(date: str, column: pa.Array, clocks: list[str], parts: list[str], place: Place) -> list[str]:
    """A column of dates, and beside it that of the clock, where days alone are there several times."""
    clock = clocks if len(clocks) == 1 else [name for name in parts if UNITS[name.lower()]] if not clocks else []
    if not clock or pc.count_distinct(column).as_py() == len(column):
        return [date]
    index, _ = _dates(date, column, place, None, told=False)
    days = isinstance(index, pd.DatetimeIndex) and (index.dropna() == index.dropna().normalize()).all()
    return [date, *clock] if days else [date]


def _part_of_year(columns: dict[str, pa.Array]) -> list[str]:
    """The columns of a year and of its quarter, its week or its month's name, which are a date together; else none."""
    year = [name for name in columns if name.lower() == "year"]
    part = [name for name in columns if name.lower() in ("quarter", "week", "month")]
    if len(year) != 1 or len(part) != 1 or (part[0].lower() == "month" and is_number(columns[part[0]].type)):
        return []
    return [*year, *part]


def _periods_of(columns: dict[str, pa.Array]) -> pa.Array:
    """Text such as 2020Q1, 2020-W05 or 2020 Jan of a column of years and one of their parts."""
    year, part = _part_of_year(columns)
    years, parts = as_text(columns[year]), as_text(columns[part])
    if part.lower() == "month":
        return pc.binary_join_element_wise(years, parts, " ")
    parts = pc.utf8_lpad(pc.replace_substring_regex(parts, "^[qQwW]", ""), 2 if part.lower() == "week" else 1, "0")
    return pc.binary_join_element_wise(years, parts, "-W" if part.lower() == "week" else "Q")


def _from_parts(columns: dict[str, pa.Array], place: Place) -> pd.DatetimeIndex:
    values: dict[str, np.ndarray] = {"month": np.ones(1), "day": np.ones(1)}
    for name, column in columns.items():
        numbers = values[name.lower()] = as_numbers(column)
        refuse_cells(f"column '{name}' holds a number in each row", column, np.isnan(numbers), place, "fill it in")
    n = max(map(len, values.values()))
    days = {unit: np.broadcast_to(values[unit], n) for unit in ("year", "month", "day")}
    dates = pd.to_datetime(pd.DataFrame(days), errors="coerce")
    (first, column), *_ = columns.items()
    rule = f"{', '.join(columns)} make a date together"
    refuse_cells(f"{rule}; so column '{first}'", column, dates.isna().to_numpy(), place, "correct these rows")
    seconds = sum(values[unit] * UNITS[unit] for unit in values)
    return pd.DatetimeIndex(dates) + pd.to_timedelta(np.broadcast_to(seconds, n), unit="s")


def _clock(name: str, column: pa.Array, place: Place) -> pd.TimedeltaIndex:
    """Times of day (n_rows,): text, or numbers of what the column is named by, else of hours, or of the equal parts of
    a day where there are more than 24."""
    if is_text(column.type):
        forms = matching_date_formats(column, CLOCKS) or CLOCKS[:1]
        times = pd.TimedeltaIndex(as_dates(column, forms[0]) - MIDNIGHT)
    else:
        numbers = as_numbers(column)
        part = 3600 if numbers.max() <= 24 else 86_400 / (numbers.max() + 1 - numbers.min())
        seconds = 1 if pa.types.is_time(column.type) else UNITS.get(name.lower()) or part
        times = pd.to_timedelta(numbers * seconds, unit="s")
    bad = np.asarray(times.isna() | (times < pd.Timedelta(0)) | (times > pd.Timedelta("24h")))
    refuse_cells(
        f"column '{name}' holds a time of day in each row", column, bad, place, "write it as 13:30 or 13:30:00"
    )
    return times


def _dates(
    name: str, column: pa.Array, place: Place, form: str | None, told: bool = True
) -> tuple[pd.Index, str | None]:
    """The dates (n_rows,) of a column, or its numbers where they are none, and the form of text."""
    if is_text(column.type):
        column = _periods(as_text(column))
        form, dates = _form(name, column, form, told)
        index: pd.Index = pd.DatetimeIndex(dates)
    else:
        form = None
        index = _from_numbers(column) if is_number(column.type) else pd.DatetimeIndex(as_dates(column))
    fix = "write dates as 2024-12-31 or 2024-12-31 18:00, or give another column with data.time="
    if told:
        refuse_cells(
            f"column '{name}' holds a date or a number in each row", column, np.asarray(index.isna()), place, fix
        )
    return index, form


def _from_numbers(column: pa.Array) -> pd.Index:
    """Dates of numbers that are digits, such as 20241231, or counted since 1970; else the numbers."""
    integers = pa.types.is_integer(column.type) and not column.null_count
    values = column.to_numpy() if integers else as_numbers(column)
    known = values[~np.isnan(values)]
    if not len(known) or np.isinf(known).any():
        return pd.Index(np.where(np.isinf(values), np.nan, values))
    low, high = known.min(), known.max()
    if (known == np.floor(known)).all():
        for place, form in enumerate(DIGITS):
            unit = 10 ** (2 * place)
            if YEARS[0] * unit <= low and high < YEARS[1] * unit:
                text = pd.Series(values).astype("Int64").astype("string").astype(object)
                dates = pd.to_datetime(text, format=form, errors="coerce")
                if dates.notna().sum() == len(known):
                    return pd.DatetimeIndex(dates)
    for unit, n in PER_SECOND.items():
        if EPOCH[0] * n <= low and high < EPOCH[1] * n:
            return pd.to_datetime(pd.Index(values), unit=unit)
    return pd.Index(values)


def _periods(text: pa.Array) -> pa.Array:
    """Text with quarters such as 2020Q1 or Q1 2020 as their first months, and weeks such as 2020-W05 as Mondays."""
    if not pc.any(pc.match_substring_regex(text.drop_null().slice(0, 100), "(?i)[qw]")).as_py():
        return text
    for quarter in range(1, 5):
        month = f"{3 * quarter - 2:02d}"
        text = pc.replace_substring_regex(text, rf"^(?i)(\d{{4}})[-/ ]?Q{quarter}$", rf"\1-{month}")
        text = pc.replace_substring_regex(text, rf"^(?i)Q{quarter}[-/ ]?(\d{{4}})$", rf"\1-{month}")
    return pc.replace_substring_regex(text, r"^(?i)(\d{4})-?W(\d{2})$", r"\1-W\2-1")


def _form(name: str, text: pa.Array, known: str | None, told: bool) -> tuple[str, pd.Series]:
    """The form of dates, and the dates. Where day and month could be exchanged, rows lie close together, and it is
    said."""
    if known and (dates := as_dates(text, known)).notna().to_numpy()[~is_missing(text)].all():
        return known, dates
    read = {form: as_dates(text, form) for form in matching_date_formats(text, FORMS) or ["ISO8601"]}
    fewest = min(int(dates.isna().sum()) for dates in read.values())
    read = {form: dates for form, dates in read.items() if dates.isna().sum() == fewest}
    form = min(read, key=lambda form: (read[form].max() - read[form].min()).total_seconds())
    other = next((o for o, dates in read.items() if not dates.equals(read[form])), None)
    if other and told:
        echo(f"dates of '{name}' are read as {form}, in which rows lie closest together, but could be {other}")
    return form, read[form]
