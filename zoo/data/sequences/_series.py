"""Files of one long series: a table whose rows follow each other in time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from zoo.data.tabular._files import place_in, read_table
from zoo.data.tabular._values import as_dates, as_numbers, is_date, is_number, missing, plain, refuse
from zoo.errors import UserError, unknown
from zoo.spec import DataSpec

SAMPLE = 100  # rows from which a column of dates is told
GROWTH = 2.0  # rows, filled gaps among them, for each row of the file: more are not filled in


def read_series(path: Path, columns: Sequence[str] | None = None, time: str | None = None) -> pd.DataFrame:
    """The columns of a series, in the order of time, as floats (NaN where missing) with the dates as index.

    Steps that are missing between regular ones are put in, without values. Gaps, irregular steps and rows out of order
    are said.

    Args:
        path: of a table.
        columns: to read; None takes all numbers.
        time: the column of dates; None takes the first there is, or the order of the rows.

    Raises:
        UserError: for a column that is not there or not of its kind, dates that are missing or twice, and infinity.
    """
    table = read_table(path)
    for name in [*(columns or []), *([time] if time else [])]:
        if name not in table.column_names:
            raise unknown(f"column in {path}", name, table.column_names)
    time = time or next((name for name in table.column_names if _holds_dates(plain(table[name]))), None)
    names = [name for name in columns or table.column_names if name != time]
    if columns is None:
        names = [name for name in names if is_number(plain(table[name]).type)]
    if not names:
        raise UserError(f"{path} has no column of numbers to forecast; its columns: {', '.join(table.column_names)}")
    frame = pd.DataFrame({name: _numbers(path, name, plain(table[name])) for name in names})
    return frame if time is None else _in_time(frame, _dates(path, time, plain(table[time])), path)


def last_window(spec: DataSpec, path: Path) -> np.ndarray:
    """The last steps of a file, as many as a model with `spec` looks back on: (look_back, n_channels)."""
    frame = read_series(path, spec.column_names, spec.reading["time"])
    look_back = spec.inputs["sequence"].shape[0] or 0
    if len(frame) < look_back:
        raise UserError(f"the model looks back on {look_back} steps; {path} has {len(frame)}: give a longer file")
    return frame.to_numpy(np.float32)[-look_back:]


def _holds_dates(column: pa.Array) -> bool:
    if is_number(column.type):
        return False
    dates = as_dates(column.slice(0, SAMPLE))
    return is_date(column.type) or bool(len(dates) and dates.notna().all())


def _numbers(path: Path, name: str, column: pa.Array) -> np.ndarray:
    values = as_numbers(column)
    place = place_in(path)
    refuse(f"column '{name}' holds numbers", column, np.isnan(values) & ~missing(column), place, "correct it there")
    refuse(f"column '{name}' holds finite numbers", column, np.isinf(values), place, "correct it there")
    return values.astype(np.float32)


def _dates(path: Path, name: str, column: pa.Array) -> pd.DatetimeIndex:
    dates = as_dates(column)
    fix = "write dates as 2024-12-31 or 2024-12-31 18:00, or give another column with data.time="
    refuse(f"column '{name}' holds a date in each row", column, dates.isna().to_numpy(), place_in(path), fix)
    twice = dates.duplicated().to_numpy()
    refuse(f"column '{name}' holds each date once", column, twice, place_in(path), "leave the second one out")
    return pd.DatetimeIndex(dates)


def _in_time(frame: pd.DataFrame, dates: pd.DatetimeIndex, path: Path) -> pd.DataFrame:
    frame = frame.set_index(dates)
    if not dates.is_monotonic_increasing:
        print(f"{path}: rows are sorted by time")
        frame = frame.sort_index()
    if len(frame) < 3 or pd.infer_freq(frame.index):  # type: ignore[arg-type]
        return frame
    steps = np.diff(frame.index.to_numpy()).astype("timedelta64[ns]").astype(np.int64)
    step = int(np.median(steps))
    irregular, n_rows = steps % step != 0, steps.sum() // step + 1
    described = f"steps are of {pd.Timedelta(step)}"
    if irregular.any() or n_rows > GROWTH * len(frame):
        odd = int((steps != step).sum())
        first = frame.index[int(np.argmax(steps != step))]
        print(
            f"{path}: most {described}, but {odd:,} of {len(steps):,} are not, the first after {first}; rows are "
            "taken as they follow each other"
        )
        return frame
    gaps = np.flatnonzero(steps > step)
    print(
        f"{path}: {described}; {n_rows - len(frame):,} are missing in {len(gaps):,} gaps, the first after "
        f"{frame.index[gaps[0]]}, and are filled in between their neighbours"
    )
    return frame.reindex(pd.date_range(frame.index[0], periods=int(n_rows), freq=pd.Timedelta(step)))
