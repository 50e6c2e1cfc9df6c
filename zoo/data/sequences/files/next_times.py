"""The times that follow a series, for its forecast: by the steps of the series, written as its file writes times."""

import re
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.columns.dates import ISO
from zoo.data.sequences.files.time_values import CLOCKS, DIGITS, MONTHS, PER_SECOND

MOST = 1000  # times from whose end the step is inferred
ISO_FORMS = (
    *("%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"),
    *("%Y-%m-%d %H:%M:%SZ", "%Y-%m-%dT%H:%M:%SZ", "%G-W%V"),
)
QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y/Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y")
DAY = 86_400  # seconds
ZONE = re.compile(r":\d\d(\.\d+)?([+-]\d\d:?\d\d|Z)$")


def next_times(times: pd.Index, n: int) -> pd.Index:
    """The `n` times after the end of a series, by its step: of the calendar, such as a month, or else the median."""
    if len(times) < 2:
        return times[:0]
    if isinstance(times, pd.DatetimeIndex):
        freq = pd.infer_freq(times[-MOST:]) if len(times) > 2 else None
        if freq:
            return pd.date_range(times[-1], periods=n + 1, freq=freq)[1:]
    step = np.median(np.diff(times[-MOST:].to_numpy()))
    return pd.Index(times[-1] + step * np.arange(1, n + 1))


def written_form(cell: Any, time: Any, known: str | None) -> str | None:
    """The form in which a file writes times, told by a `cell` and the `time` that was read from it.

    Args:
        cell: of the column of times; None where several columns make a time.
        time: a date, or a number such as the seconds of a clock.
        known: the form by which text was read.

    Returns:
        A format of strftime, with %q for a quarter; "s", "ms", "us" or "ns" for integers since 1970; None for numbers
        and where no form fits.
    """
    if cell is None or not isinstance(time, pd.Timestamp | float):
        return None
    text, is_clock = str(cell).strip(), not isinstance(time, pd.Timestamp)
    own = [known] if known and known != ISO else []
    for form in CLOCKS if is_clock else (*own, *ISO_FORMS, *QUARTERS, *DIGITS, *MONTHS, *PER_SECOND):
        if str(write_times(pd.Index([time]), form)[0]) == text:
            return form
    return "%Y-%m-%dT%H:%M:%SZ" if ZONE.search(text) else None


def write_times(times: pd.Index, form: str | None) -> list[Any]:
    """Times as the cells of a table: in the form of `written_form`; where it is None dates as ISO 8601 has them."""
    if not isinstance(times, pd.DatetimeIndex):
        if form is not None:
            return pd.to_datetime(times % DAY, unit="s").strftime(form).tolist()
        rounded = times.to_numpy().round(9)
        return (rounded.astype(int) if (rounded == rounded.round()).all() else rounded).tolist()
    if form in PER_SECOND:
        return [int(time.as_unit("ns").value) // (10**9 // PER_SECOND[form]) for time in times]
    if form is None:
        seconds = ":%S" * bool((times.second != 0).any())
        form = "%Y-%m-%d" + f" %H:%M{seconds}" * bool((times != times.normalize()).any())
    return (times.to_period("Q") if "%q" in form else times).strftime(form).tolist()
