"""Files of long series: a table whose rows follow each other in time, of one series or of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.data.columns.arrow import is_number, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.numbers import exceeds_float32, parse_zero_padded, require_numbers
from zoo.data.formats.pandas_index import drop_index, untimed_index
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import as_strings, match_headings
from zoo.data.sequences.files.id_columns import find_ids, series_ids
from zoo.data.sequences.files.samples import cells_of
from zoo.data.sequences.files.time_columns import Times, find_times, read_times
from zoo.data.sequences.inputs.gaps import carry_forward

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


@dataclass(frozen=True)
class Series:
    """What a table holds.

    Attributes:
        frames: the columns of each series, in the order of time, as float64 (NaN where missing) with times as
            index.
        ids: of each, one for each column of ids; None where the table is one series.
        reading: what a later file is read with: its columns of times and of ids, and the form of dates.
    """

    frames: list[pd.DataFrame]
    ids: list[tuple[str, ...]] | None
    reading: dict[str, Any]


def read_series(
    path: Path, reading: Mapping[str, Any], columns: Sequence[str] | None = None, *, later: bool = False
) -> Series:
    """The columns of a table's series. Steps that are missing between regular ones are put in, without values. Gaps,
    irregular steps and rows out of order are said, and which columns are taken where `columns` does not name them.

    Args:
        path: of a table.
        reading: may name the columns of times, `date_column`, else they are found, or the order of the rows taken; of
            ids, `series_id`; the ids to take, `only`; and the form of dates, `date_form`.
        columns: to read; None takes all numbers.
        later: whether a model reads it, to go on from there; then columns of times and of ids may be missing.

    Raises:
        UserError: for a column that is not there or not of its kind, times that are missing or twice, and infinity.
    """
    table, place = read_table(path, cells_of(reading)), place_in(path, reading.get("encoding"))
    ids, named = (match_headings(reading.get(what), table.column_names) for what in ("series_id", "date_column"))
    columns = None if columns is None else match_headings(columns, table.column_names)
    table = drop_index(parse_zero_padded(table, ids), untimed_index(table), [*(columns or []), *ids, *named])
    if later:
        ids, named = (_there(path, table, some) for some in (ids, named))
    for name in [*(columns or []), *ids, *named]:
        if name not in table.column_names:
            raise unknown_name(f"column in {path}", name, table.column_names)
    times, others = (named, []) if named else find_times(table, [*(columns or []), *ids], place)
    names = _channels(path, table, [*times, *ids, *(others if columns is None else [])], columns)
    read = read_times(table, times, place, reading.get("date_form"))
    codes, series = series_ids(table, ids, place) if ids else (np.zeros(table.num_rows, int), [()])
    _refuse_double(path, table, read, codes, ids, others, place)
    if columns is None:
        _say(path, table, times, [*others, *ids], names)
    frame = pd.DataFrame({name: _numbers(name, to_array(table[name]), place) for name in names}, index=read.values)
    found = {"date_column": times[0] if len(times) == 1 else times or None, "date_form": read.form}
    if not ids:
        return Series(_in_time([frame], path, times), None, found)
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    kept = _only(path, series, as_strings(reading.get("only")))
    frames = _in_time([frame.iloc[rows[code]] for code in kept], path, times)
    return Series(frames, [series[code] for code in kept], {**found, "series_id": ids})


def last_windows(spec: DataSpec, path: Path) -> tuple[list[np.ndarray], dict[str, list[str]]]:
    """The last steps of each series of a file, as many as a model with `spec` looks back on, (look_back, n_channels),
    with gaps filled from the past; and the series' ids by their column, none where the file is one series."""
    series = read_series(path, {**spec.reading, "only": None}, spec.column_names, later=True)
    look_back = spec.inputs["sequence"].shape[0] or 0
    long = [number for number, frame in enumerate(series.frames) if len(frame) >= look_back]
    most = max(map(len, series.frames))
    if not long:
        raise UserError(f"the model looks back on {look_back} steps; {path} has {most}: give a longer file")
    if len(long) < len(series.frames):
        echo(f"{path}: left out, as they have fewer than {look_back} steps: {len(series.frames) - len(long)} series")
    values = [series.frames[number].to_numpy(np.float64) for number in long]
    windows = [carry_forward(one)[-look_back:] for one in values]
    n_filled = sum(
        int(np.isnan(one[-look_back:]).sum()) - int(np.isnan(window).sum())
        for one, window in zip(values, windows, strict=True)
    )
    if n_filled:
        echo(f"{path}: {n_filled:,} missing values are filled in from the last value before them")
    columns = series.reading.get("series_id", [])
    ids = [series.ids[number] for number in long] if series.ids else []
    return windows, {name: [one[place] for one in ids] for place, name in enumerate(columns)}


def _there(path: Path, table: pa.Table, names: Sequence[str]) -> list[str]:
    """The columns `names` of the training file, or none where this one lacks some of them, which is said."""
    lacking = [name for name in names if name not in table.column_names]
    if lacking:
        echo(f"{path} has no column '{lacking[0]}' as the training file had; it is read without")
    return [] if lacking else list(names)


def _channels(path: Path, table: pa.Table, others: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    if columns is not None:
        return list(columns)
    names = [name for name in table.column_names if name not in others and is_number(to_array(table[name]).type)]
    if not names:
        raise UserError(
            f"{path} has no column of numbers to forecast; its columns: {', '.join(table.column_names)}\n"
            "name one in data.columns=[...] to see which of its rows hold no number"
        )
    return names


def _say(path: Path, table: pa.Table, times: Sequence[str], others: Sequence[str], names: Sequence[str]) -> None:
    order = f"in the order of '{' and '.join(times)}'" if times else "in the order of the rows"
    left = [name for name in table.column_names if name not in (*times, *others, *names)]
    more = "".join(
        f"; left out, as they {why}: {', '.join(some[:5])}"
        for why, some in (("are no numbers", left), ("hold times or ids", others))
        if some
    )
    echo(f"{path}: forecasts {', '.join(names[:8])}{' and more' * (len(names) > 8)}, {order}{more}")


def _numbers(name: str, column: pa.Array, place: Place) -> np.ndarray:
    values = require_numbers(column, f"column '{name}' holds numbers", place, "correct it there")
    refuse_cells(f"column '{name}' holds finite numbers", column, exceeds_float32(values), place, "correct it there")
    return values


def _refuse_double(
    path: Path,
    table: pa.Table,
    read: Times,
    codes: np.ndarray,
    ids: Sequence[str],
    others: Sequence[str],
    place: Place,
) -> None:
    """Raise UserError where a series has a time twice, and say where the table holds several series."""
    twice = pd.MultiIndex.from_arrays([codes, read.values]).duplicated()
    if not read.names or not twice.any():
        return
    dates = isinstance(read.values, pd.DatetimeIndex)
    days = dates and (read.values == pd.DatetimeIndex(read.values).normalize()).all()  # to which a clock may belong
    found = None if ids else find_ids(table, [*read.names, *others], read.values)
    if found:
        raise _several(path, table, *found, place, days=read.names[0] if days else None)
    fix = ["leave the second one out"]
    if not ids:
        fix.append("name the column of ids, if these are several series: data.series_id=")
    if days:
        fix.append(f"name the clock beside the date: data.time=[{read.names[0]},{others[0] if others else '...'}]")
    if dates and set(pd.DatetimeIndex(read.values[twice]).hour) <= {1, 2, 3}:
        fix.append("where clocks are put back, write times with their offset: 2024-10-27 02:00+01:00")
    rule = f"a series has a row for each time once, in '{' and '.join(read.names)}'"
    times = pa.array(read.values.astype(str).to_numpy(dtype=object))
    refuse_cells(rule, times, twice, place, "; or ".join(fix))


def _several(path: Path, table: pa.Table, ids: Sequence[str], n: int, place: Place, *, days: str | None) -> UserError:
    """The ways out where a table holds `n` series by its columns `ids`, or by a count of the hours of its `days`."""
    option = ids[0] if len(ids) == 1 else f"[{','.join(ids)}]"
    one = "/".join(series_ids(table, ids, place)[1][0])
    counts_hours = days and len(ids) == 1 and is_number(to_array(table[ids[0]]).type)
    return UserError(
        f"{path} holds {n:,} series by '{' and '.join(ids)}', as its times repeat\n"
        f"forecast all of them by data.series_id={option}, or one: data.series_id={option} data.only=[{one}]"
        + (f"\nif '{option}' counts the hours of a day: data.time=[{days},{option}]" if counts_hours else "")
    )


def _only(path: Path, series: Sequence[tuple[str, ...]], only: Sequence[str]) -> list[int]:
    """The numbers of the series with the ids `only`, of all where there are none."""
    names = ["/".join(one) for one in series]
    for one in only:
        if one not in names:
            raise unknown_name(f"series in {path}", one, names)
    return [number for number, name in enumerate(names) if not only or name in only]


def _in_time(frames: Sequence[pd.DataFrame], path: Path, times: Sequence[str]) -> list[pd.DataFrame]:
    """Each series in the order of time, with a row for each step."""
    if not times:
        return list(frames)
    arranged = [_arranged(frame) for frame in frames]
    notes: dict[str, list[str]] = {}
    for _, said in arranged:
        for what, note in said.items():
            notes.setdefault(what, []).append(note)
    for first, *others in notes.values():
        echo(f"{path}: {first}" + f"; so or alike in {len(others):,} more series" * bool(others))
    return [frame for frame, _ in arranged]


def _arranged(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """A series in the order of time, with a row for each step; and what was done, by what it concerns."""
    said = {}
    if not frame.index.is_monotonic_increasing:
        falling = frame.index.is_monotonic_decreasing
        said["order"] = "the latest rows come first, and are turned around" if falling else "rows are sorted by time"
        frame = frame.sort_index()
    if len(frame) < 3 or _is_regular(frame.index):
        return frame, said
    steps = np.diff(frame.index.to_numpy())
    step = np.median(steps.astype("timedelta64[ns]") if isinstance(frame.index, pd.DatetimeIndex) else steps)
    grid, described = _grid(frame.index, step)
    if grid is None:
        odd = steps != step
        said["steps"] = (
            f"steps are irregular; in the middle they are of {described}, but {odd.sum():,} of {len(steps):,} "
            f"are not, the first after {frame.index[odd.argmax()]}; rows are taken as they follow each other"
        )
        return frame, said
    missing = ~grid.isin(frame.index)
    gaps = np.flatnonzero(np.diff(missing.astype(int)) == 1)
    said["steps"] = (
        f"steps are of {described}; {missing.sum():,} are missing in {len(gaps):,} gaps, the first after "
        f"{grid[gaps[0]]}"
    )
    return frame.reindex(grid), said


def _is_regular(times: pd.Index) -> bool:
    if isinstance(times, pd.DatetimeIndex):
        return bool(pd.infer_freq(times))
    steps = np.diff(times.to_numpy())
    return bool(np.ptp(steps) <= 1e-6 * np.median(steps))


def _grid(times: pd.Index, step: Any) -> tuple[pd.Index | None, str]:
    """The shortest run of regular times, of `step` or of the calendar, in which `times` have a place, and what its
    steps are called; None where there is none, or only one with many gaps."""
    first, last, most = times[0], times[-1], GROWTH * len(times)
    dates = isinstance(times, pd.DatetimeIndex)
    step = pd.Timedelta(step) if dates else step
    named = str(step).removeprefix("0 days ").removesuffix(" 00:00:00") if dates else f"{step:g}"
    grids: list[tuple[pd.Index, str]] = []
    if (last - first) / step < most:
        grid = first + step * np.arange(round((last - first) / step) + 1)
        grids.append((pd.Index(grid if dates else _snapped(grid, times.to_numpy(), step)), named))
    if dates:
        grids += [(pd.date_range(first, last, freq=freq), name) for freq, name in CALENDAR.items()]
    fitting = [(grid, name) for grid, name in grids if len(grid) <= most and times.isin(grid).all()]
    return min(fitting, key=lambda one: len(one[0]), default=(None, named))


def _snapped(grid: np.ndarray, times: np.ndarray, step: float) -> np.ndarray:
    """A run of numbers, `step` apart, with those of `times` in place of the ones that they nearly are: 0.3 is no
    multiple of 0.1."""
    places = np.rint((times - grid[0]) / step).astype(int)
    near = np.abs(times - grid[places]) < 1e-3 * step
    grid[places[near]] = times[near]
    return grid
