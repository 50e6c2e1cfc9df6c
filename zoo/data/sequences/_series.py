"""Files of one long series: a table whose rows follow each other in time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from zoo.data.tabular._files import place_in, read_table
from zoo.data.tabular._infer import date_forms, read_dates
from zoo.data.tabular._values import is_date, is_number, is_text, only_numbers, plain, refuse
from zoo.errors import UserError, unknown
from zoo.spec import DataSpec
from zoo.terminal import print

GROWTH = 2.0  # rows, filled gaps among them, for each row of the file: more are not filled in
CALENDAR = {
    "B": "a working day",
    "MS": "a month",
    "ME": "a month",
    "QS": "a quarter",
    "QE": "a quarter",
    "YS": "a year",
    "YE": "a year",
}


def read_series(path: Path, columns: Sequence[str] | None = None, time: str | None = None) -> pd.DataFrame:
    """The columns of a series, in the order of time, as float64 (NaN where missing) with the dates as index.

    Steps that are missing between regular ones are put in, without values. Gaps, irregular steps and rows out of order
    are said, and which columns are taken where `columns` does not name them.

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
        raise UserError(
            f"{path} has no column of numbers to forecast; its columns: {', '.join(table.column_names)}\n"
            "name one in data.columns=[...] to see which of its rows hold no number"
        )
    if columns is None:
        _say(path, time, names, [name for name in table.column_names if name not in (time, *names)])
    frame = pd.DataFrame({name: _numbers(path, name, plain(table[name])) for name in names})
    return frame if time is None else _in_time(frame, _dates(path, time, plain(table[time])), path)


def last_window(spec: DataSpec, path: Path) -> np.ndarray:
    """The last steps of a file, as many as a model with `spec` looks back on: (look_back, n_channels)."""
    frame = read_series(path, spec.column_names, spec.reading["date_column"])
    look_back = spec.inputs["sequence"].shape[0] or 0
    if len(frame) < look_back:
        raise UserError(f"the model looks back on {look_back} steps; {path} has {len(frame)}: give a longer file")
    return frame.to_numpy()[-look_back:]


def _holds_dates(column: pa.Array) -> bool:
    return is_date(column.type) or (is_text(column.type) and bool(date_forms(column)))


def _say(path: Path, time: str | None, names: Sequence[str], others: Sequence[str]) -> None:
    order = f"in the order of '{time}'" if time else "in the order of the rows"
    more = f"; left out, as they are no numbers: {', '.join(others[:5])}" if others else ""
    print(f"{path}: forecasts {', '.join(names[:8])}{' and more' * (len(names) > 8)}, {order}{more}")


def _numbers(path: Path, name: str, column: pa.Array) -> np.ndarray:
    place = place_in(path)
    values = only_numbers(column, f"column '{name}' holds numbers", place, "correct it there")
    refuse(f"column '{name}' holds finite numbers", column, np.isinf(values), place, "correct it there")
    return values


def _dates(path: Path, name: str, column: pa.Array) -> pd.DatetimeIndex:
    place = place_in(path)
    dates = read_dates(name, column, place)
    fix = "write dates as 2024-12-31 or 2024-12-31 18:00, or give another column with data.time="
    refuse(f"column '{name}' holds a date in each row", column, dates.isna().to_numpy(), place, fix)
    twice = dates.duplicated().to_numpy()
    fix = "leave the second one out; where clocks are put back, write times with their offset: 2024-10-27 02:00+01:00"
    refuse(f"column '{name}' holds each date once", column, twice, place, fix)
    return pd.DatetimeIndex(dates)


def _in_time(frame: pd.DataFrame, dates: pd.DatetimeIndex, path: Path) -> pd.DataFrame:
    frame = frame.set_index(dates)
    if not dates.is_monotonic_increasing:
        print(f"{path}: rows are sorted by time")
        frame = frame.sort_index()
    if len(frame) < 3 or pd.infer_freq(frame.index):  # type: ignore[arg-type]
        return frame
    steps = np.diff(frame.index.to_numpy())
    step = pd.Timedelta(np.median(steps.astype("timedelta64[ns]")))
    grid, described = _grid(frame.index, step)  # type: ignore[arg-type]
    if grid is None:
        odd = steps != step
        print(
            f"{path}: steps are irregular; in the middle they are of {described}, but {odd.sum():,} of {len(steps):,} "
            f"are not, the first after {frame.index[odd.argmax()]}; rows are taken as they follow each other"
        )
        return frame
    missing = ~grid.isin(frame.index)
    gaps = np.flatnonzero(np.diff(missing.astype(int)) == 1)
    print(
        f"{path}: steps are of {described}; {missing.sum():,} are missing in {len(gaps):,} gaps, the first after "
        f"{grid[gaps[0]]}, and are filled in between their neighbours"
    )
    return frame.reindex(grid)


def _grid(dates: pd.DatetimeIndex, step: pd.Timedelta) -> tuple[pd.DatetimeIndex | None, str]:
    """The shortest run of regular dates, of `step` or of the calendar, in which `dates` have a place, and what its
    steps are called; None where there is none, or only one with many gaps."""
    named = str(step).removeprefix("0 days ").removesuffix(" 00:00:00")
    most = GROWTH * len(dates)
    regular: dict[Any, str] = CALENDAR | ({step: named} if (dates[-1] - dates[0]) / step < most else {})
    grids = [(pd.date_range(dates[0], dates[-1], freq=freq), name) for freq, name in regular.items()]
    fitting = [(grid, name) for grid, name in grids if len(grid) <= most and dates.isin(grid).all()]
    return min(fitting, key=lambda one: len(one[0]), default=(None, named))
