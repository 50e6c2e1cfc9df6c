"""Times of a table's rows: dates, clocks and numbers in any common form, in one column or in several."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import is_missing, is_number, is_text, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.dates import DATE_FORMATS, as_dates, matching_date_formats, read_dates
from zoo.data.columns.numbers import as_numbers
from zoo.data.columns.text import as_text

UNITS = {"year": 0, "month": 0, "day": 0, "hour": 3600, "minute": 60, "second": 1}  # seconds; 0 for those of a date
MONTHS = ("%b %Y", "%B %Y", "%Y %b", "%Y %B", "%b-%Y", "%b-%y", "%b %y", "%m/%Y", "%m.%Y", "%m-%Y", "%Y/%m", "%YM%m")
FORMS = (*DATE_FORMATS, *MONTHS, "%Y.%m.%d", "%Y%m%d %H%M", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S", "%G-W%V-%u")
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I%p", "%I %p")
MIDNIGHT = pd.Timestamp("1900-01-01")  # of a time of day that is parsed without a date
DIGITS = ("%Y", "%Y%m", "%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
YEARS = (1500, 2200)  # of dates written as digits
EPOCH = (315_532_800, 4_102_444_800)  # seconds since 1970 of the years 1980 to 2100
PER_SECOND: dict[Literal["s", "ms", "us", "ns"], int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DATE_FIX = "write dates as 2024-12-31 or 2024-12-31 18:00, or give another column with data.time="


class Times(NamedTuple):
    """The times of a table's rows.

    Attributes:
        names: of the columns that hold them; none where the order of the rows is that of time.
        values: dates or numbers (n_rows,).
        form: of dates that are text, such as "%d.%m.%Y".
    """

    names: list[str]
    values: pd.Index
    form: str | None = None


def read_times(table: pa.Table, names: Sequence[str], place: Place, form: str | None = None) -> Times:
    """Read the times in the columns `names`: one, or a date and its clock, or a year, a month and so on.

    Args:
        table: with the columns.
        names: of the columns.
        place: names a row in messages.
        form: to try first on dates that are text, such as that of the training file.

    Raises:
        UserError: for a row without a time, and for columns that do not make a time together.
    """
    if not names:
        return Times([], pd.RangeIndex(table.num_rows))
    columns = {name: to_array(table[name]) for name in names}
    if len(names) == len(period_columns(columns)):
        index, form = parse_dates(" and ".join(names), _join_periods(columns), place, form)
        return Times(list(names), index, form)
    if len(names) > 1 and {"year"} <= {name.lower() for name in names} <= set(UNITS):
        return Times(list(names), _join_date_parts(columns, place))
    clocks = [name for name in names if is_clock(columns[name])]
    if len(names) == 1 and clocks:
        return Times(list(names), pd.Index(_parse_clock(names[0], columns[names[0]], place).total_seconds()))
    date = _date_column(columns, clocks)
    index, form = parse_dates(date, columns[date], place, form)
    for name in names:
        if name != date:
            index = index + _parse_clock(name, columns[name], place)
    return Times(list(names), index, form)


def numeric_times(array: pa.Array, name: str, place: Place) -> np.ndarray:
    """Times (n,) as numbers that sort like them; UserError for what is neither a number nor a date."""
    times = as_numbers(array)
    if np.isnan(times).any() and not is_number(array.type):
        dates = read_dates(name, array, place)
        times = np.where(dates.isna(), np.nan, dates.to_numpy().astype("datetime64[ns]").astype(np.float64))
    rule = f"each step has a time, as a number or a date such as 2024-12-31 23:59; so {name}"
    refuse_cells(rule, array, np.isnan(times), place, "correct these rows")
    return times


# -- dates


def parse_dates(
    name: str, column: pa.Array, place: Place, form: str | None = None, quiet: bool = False
) -> tuple[pd.Index, str | None]:
    """Parse a column as dates (n_rows,), or as numbers where it holds no dates.

    Args:
        name: of the column.
        column: text, numbers or dates.
        place: names a row in messages.
        form: to try first on text.
        quiet: give NaT for what is no date, and do not report ambiguous dates.

    Returns:
        The dates or numbers, and the form of text.
    """
    if is_text(column.type):
        column = normalise_periods(as_text(column))
        form, dates = _parse_text(name, column, form, quiet)
        index: pd.Index = pd.DatetimeIndex(dates)
    else:
        form = None
        index = dates_of_numbers(column) if is_number(column.type) else pd.DatetimeIndex(as_dates(column))
    if not quiet:
        rule = f"column '{name}' holds a date or a number in each row"
        refuse_cells(rule, column, np.asarray(index.isna()), place, DATE_FIX)
    return index, form


def _parse_text(name: str, text: pa.Array, known: str | None, quiet: bool) -> tuple[str, pd.Series]:
    """The form of dates, and the dates. If day and month could be swapped, the form whose dates lie closest together is
    taken, and reported."""
    if known and (dates := as_dates(text, known)).notna().to_numpy()[~is_missing(text)].all():
        return known, dates
    parsed = {form: as_dates(text, form) for form in matching_date_formats(text, FORMS) or ["ISO8601"]}
    fewest = min(int(dates.isna().sum()) for dates in parsed.values())
    parsed = {form: dates for form, dates in parsed.items() if dates.isna().sum() == fewest}
    form = min(parsed, key=lambda form: (parsed[form].max() - parsed[form].min()).total_seconds())
    other = next((other for other, dates in parsed.items() if not dates.equals(parsed[form])), None)
    if other and not quiet:
        echo(f"dates of '{name}' are read as {form}, in which rows lie closest together, but could be {other}")
    return form, parsed[form]


def dates_of_numbers(column: pa.Array) -> pd.Index:
    """Convert numbers to dates where they are digits, such as 20241231, or counted since 1970; else keep them."""
    integers = pa.types.is_integer(column.type) and not column.null_count
    values = column.to_numpy() if integers else as_numbers(column)
    known = values[~np.isnan(values)]
    if not len(known) or np.isinf(known).any():
        return pd.Index(np.where(np.isinf(values), np.nan, values))
    dates = _dates_of_digits(values, known)
    if dates is not None:
        return dates
    low, high = known.min(), known.max()
    for unit, n in PER_SECOND.items():
        if EPOCH[0] * n <= low and high < EPOCH[1] * n:
            return pd.to_datetime(pd.Index(values), unit=unit)
    return pd.Index(values)


def _dates_of_digits(values: np.ndarray, known: np.ndarray) -> pd.DatetimeIndex | None:
    """Dates of numbers such as 2024 or 20241231; None where not all `known` ones are dates of one form."""
    if (known != np.floor(known)).any():
        return None
    for place, form in enumerate(DIGITS):
        unit = 10 ** (2 * place)
        if YEARS[0] * unit <= known.min() and known.max() < YEARS[1] * unit:
            text = pd.Series(values).astype("Int64").astype("string").astype(object)
            dates = pd.to_datetime(text, format=form, errors="coerce")
            if dates.notna().sum() == len(known):
                return pd.DatetimeIndex(dates)
    return None


# -- years with a quarter, a week or a month's name


def normalise_periods(text: pa.Array) -> pa.Array:
    """Replace quarters such as 2020Q1 or Q1 2020 with their first months, and weeks such as 2020-W05 with Mondays."""
    if not pc.any(pc.match_substring_regex(text.drop_null().slice(0, 100), "(?i)[qw]")).as_py():
        return text
    for quarter in range(1, 5):
        month = f"{3 * quarter - 2:02d}"
        text = pc.replace_substring_regex(text, rf"^(?i)(\d{{4}})[-/ ]?Q{quarter}$", rf"\1-{month}")
        text = pc.replace_substring_regex(text, rf"^(?i)Q{quarter}[-/ ]?(\d{{4}})$", rf"\1-{month}")
    return pc.replace_substring_regex(text, r"^(?i)(\d{4})-?W(\d{2})$", r"\1-W\2-1")


def period_columns(columns: Mapping[str, pa.Array]) -> list[str]:
    """The columns of a year and of its quarter, its week or its month's name, which make a date together; else none."""
    year = [name for name in columns if name.lower() == "year"]
    part = [name for name in columns if name.lower() in ("quarter", "week", "month")]
    if len(year) != 1 or len(part) != 1 or (part[0].lower() == "month" and is_number(columns[part[0]].type)):
        return []
    return [*year, *part]


def _join_periods(columns: Mapping[str, pa.Array]) -> pa.Array:
    """Join a column of years and one of their parts to text such as 2020Q1, 2020-W05 or 2020 Jan."""
    year, part = period_columns(columns)
    years, parts = as_text(columns[year]), as_text(columns[part])
    if part.lower() == "month":
        return pc.binary_join_element_wise(years, parts, " ")
    is_week = part.lower() == "week"
    parts = pc.utf8_lpad(pc.replace_substring_regex(parts, "^[qQwW]", ""), 2 if is_week else 1, "0")
    return pc.binary_join_element_wise(years, parts, "-W" if is_week else "Q")


# -- dates and clocks in several columns


def is_clock(column: pa.Array) -> bool:
    """Whether a column holds times of day."""
    return pa.types.is_time(column.type) or (is_text(column.type) and bool(matching_date_formats(column, CLOCKS)))


def _date_column(columns: Mapping[str, pa.Array], clocks: Sequence[str]) -> str:
    """The one of several columns that holds dates; UserError where it is not one."""
    if len(columns) == 1:
        return next(iter(columns))
    text = [name for name in columns if name not in clocks and not is_number(columns[name].type)]
    dates = text or [name for name in columns if isinstance(dates_of_numbers(columns[name]), pd.DatetimeIndex)]
    if len(dates) != 1:
        raise UserError(
            f"several columns of time are a date and its clock, or year, month, day and so on; {', '.join(columns)} "
            f"hold {len(dates)} dates\ngive such columns: data.time=[Date,Time]"
        )
    return dates[0]


def _join_date_parts(columns: Mapping[str, pa.Array], place: Place) -> pd.DatetimeIndex:
    """Join columns that are named after units, such as year, month and hour, to dates (n_rows,)."""
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


def _parse_clock(name: str, column: pa.Array, place: Place) -> pd.TimedeltaIndex:
    """Times of day (n_rows,): text, or numbers of the unit that names the column, else of hours, or of the equal parts
    of a day where there are more than 24."""
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
