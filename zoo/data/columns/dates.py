"""Dates: columns of dates or of text in any of the usual formats."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import convert_distinct, is_date, is_missing, is_text
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.text import as_text

ISO = "ISO8601"
_DAYS = (
    "%Y/%m/%d",
    *(day + year for day in ("%d.%m.", "%m/%d/", "%d/%m/", "%m-%d-", "%d-%m-") for year in ("%Y", "%y")),
    *(form.format(month) for form in ("%d-{}-%Y", "%d {} %Y", "{} %d, %Y") for month in ("%b", "%B")),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
DATE_FORMATS = (ISO, *(day + time for day in _DAYS for time in _TIMES))


def as_dates(array: pa.Array, form: str = ISO) -> pd.Series:
    """Convert a column to dates (n,), in UTC where they have a zone; NaT where missing or not of the format `form`."""
    if is_date(array.type):
        finer = pa.types.is_timestamp(array.type) and array.type.unit == "ns"
        try:
            return pd.Series(array.cast(pa.timestamp("us"), safe=not finer).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid as error:
            raise UserError(f"dates are of the years -290308 to 294247; one is not: {error}") from error
    return pd.Series(convert_distinct(as_text(array), lambda text: _parse_dates(text, form)))


def _parse_dates(text: pa.Array, form: str) -> pd.Series:
    texts = text.to_pandas().astype("object")
    return pd.to_datetime(texts, format=form, errors="coerce", utc=True).dt.tz_localize(None)


def days_since_1970(dates: pd.Series) -> pd.Series:
    """Convert dates to days, NaN for NaT."""
    return (dates - pd.Timestamp(0).as_unit("s")) / pd.Timedelta(days=1).as_unit("s")  # nanoseconds end in 2262


def matching_date_formats(array: pa.Array, formats: Sequence[str] = DATE_FORMATS) -> list[str]:
    """Find the formats that the first hundred values of a column of text all have."""
    first = array.drop_null().slice(0, 100)
    if not len(first) or not pc.all(pc.match_substring_regex(first, "[0-9]")).as_py():
        return []
    candidates = [form for form in formats if as_dates(first.slice(0, 1), form).notna().all()]
    return [form for form in candidates if as_dates(first, form).notna().all()]


def infer_date_format(name: str, column: pa.Array, rows: pa.Array, place: Place) -> str:
    """Infer the format of the dates of a column of text; report it where another one fits as well.

    Args:
        name: the column's heading.
        column: (n,) all values.
        rows: the training rows of `column`, which decide.
        place: names a row.

    Raises:
        UserError: for values that are no dates of that format.
    """
    dates = {form: as_dates(rows, form) for form in matching_date_formats(rows) or [ISO]}
    form = min(dates, key=lambda form: int(dates[form].isna().sum()))
    if (dates[form].isna().to_numpy() & ~is_missing(rows)).any():
        bad = as_dates(column, form).isna().to_numpy() & ~is_missing(column)
        rule, fix = f"column '{name}' holds dates, such as 2024-12-31", "write all of them in one form"
        refuse_cells(rule, column, bad, place, fix)
    for other, values in dates.items():
        if (values != dates[form]).any() and (values.isna() == dates[form].isna()).all():
            echo(f"dates of '{name}' are read as {form}, but could be {other}")
            break
    return form


def read_dates(name: str, column: pa.Array, place: Place) -> pd.Series:
    """Convert a column to dates (n,), NaT where missing; text in the one format that all values have."""
    return as_dates(column, infer_date_format(name, column, column, place) if is_text(column.type) else ISO)
