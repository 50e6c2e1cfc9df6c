"""Tables of long series: rows follow each other in time, of one series or of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_number, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.numbers import BOOLEAN_WORDS, exceeds_float32, parse_zero_padded, require_numbers
from zoo.data.formats.pandas_index import drop_index, untimed_index
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import as_strings, match_headings
from zoo.data.sequences.files.id_columns import find_ids, series_ids
from zoo.data.sequences.files.next_times import written_form
from zoo.data.sequences.files.regular_steps import regular_series
from zoo.data.sequences.files.samples import cell_reading
from zoo.data.sequences.files.time_columns import find_times
from zoo.data.sequences.files.time_values import Times, read_times

KNOWN_FIX = "write what is known ahead as numbers, or as yes and no; one column for each kind of day"


@dataclass(frozen=True)
class Series:
    """The series in a table.

    Attributes:
        frames: the channels of each series in the order of time, and the columns known ahead, float64 with NaN where
            missing; times are the index.
        ids: of each series, one for each column of ids; None where the table is one series.
        reading: options with which later files are read: the columns of times and of ids, and the form of dates.
        time: the heading of the times, "time" where several columns make one; None where the table has no times.
        time_form: in which the file writes times, see `written_form`.
        channels: columns to forecast.
        known: columns known ahead.
    """

    frames: list[pd.DataFrame]
    ids: list[tuple[str, ...]] | None
    reading: dict[str, Any]
    time: str | None
    time_form: str | None
    channels: list[str]
    known: list[str]


@dataclass(frozen=True)
class _Table:
    """A table of series with its columns by their roles.

    Attributes:
        path: of the file.
        rows: the table.
        place: names a row in messages.
        ids: columns of ids.
        times: columns that order the rows.
        other_times: columns that hold times, but neither order the rows nor are channels.
        channels: columns to forecast.
        known: columns known ahead.
    """

    path: Path
    rows: pa.Table
    place: Place
    ids: list[str]
    times: list[str]
    other_times: list[str]
    channels: list[str]
    known: list[str]


def read_series(
    path: Path, reading: Mapping[str, Any], columns: Sequence[str] | None = None, *, new: bool = False
) -> Series:
    """Read the series of a table, in the order of time and with a row for each regular step.

    Gaps, irregular steps and rows out of order are reported, and the channels where `columns` does not name them.

    Args:
        path: of a table.
        reading: may name the columns of times, `date_column`, which else are found, or the order of the rows is used;
            of ids, `series_id`; columns `known` ahead; the ids to take, `only`; and the form of dates, `date_form`.
        columns: the channels; None takes all other numbers.
        new: whether a trained model forecasts from it; then columns of times and of ids may be missing.

    Raises:
        UserError: for a column that is missing or not of its kind, times that are missing or repeated, and infinity.
    """
    table = _open_table(path, reading, columns, new)
    times = read_times(table.rows, table.times, table.place, reading.get("date_form"))
    if not (new or table.ids):
        table = replace(table, ids=_find_ids(table, times))
    codes, ids = _series_ids(table)
    _refuse_repeated_times(table, times, codes)
    if columns is None:
        table = replace(table, channels=[name for name in table.channels if name not in table.ids])
        _report_columns(table)
    values = {name: _channel(table, name) for name in table.channels}
    known = {name: _channel(table, name, BOOLEAN_WORDS, KNOWN_FIX) for name in table.known}
    frame = pd.DataFrame(values | known, index=times.values)
    date_column = table.times[0] if len(table.times) == 1 else table.times or None
    options = {"date_column": date_column, "date_form": times.form}
    time = table.times[0] if len(table.times) == 1 else "time" if table.times else None
    cell = table.rows[table.times[0]][-1].as_py() if len(table.times) == 1 and len(frame) else None
    time_form = None if cell is None else written_form(cell, times.values[-1], times.form)
    facts: dict[str, Any] = {"time": time, "time_form": time_form, "channels": table.channels, "known": table.known}
    if not table.ids:
        return Series(_in_order([frame], table), None, options, **facts)
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    selected = _select(path, ids, as_strings(reading.get("only")))
    frames = _in_order([frame.iloc[rows[code]] for code in selected], table)
    return Series(frames, [ids[code] for code in selected], {**options, "series_id": table.ids}, **facts)


def _open_table(path: Path, reading: Mapping[str, Any], columns: Sequence[str] | None, new: bool) -> _Table:
    """Read a table and find its columns."""
    rows, place = read_table(path, cell_reading(reading)), place_in(path, reading.get("encoding"))
    ids, times = (match_headings(reading.get(option), rows.column_names) for option in ("series_id", "date_column"))
    columns = None if columns is None else match_headings(columns, rows.column_names)
    known = list(dict.fromkeys(match_headings(reading.get("known"), rows.column_names)))
    rows = drop_index(parse_zero_padded(rows, ids), untimed_index(rows), [*(columns or []), *known, *ids, *times])
    if new:
        ids, times = (_if_present(path, rows, names) for names in (ids, times))
    for name in [*(columns or []), *known, *ids, *times]:
        if name not in rows.column_names:
            raise unknown_name(f"column in {path}", name, rows.column_names)
    _refuse_two_roles(known, {"columns": columns or [], "series_id": ids, "time": times})
    others: list[str] = []
    if not times:
        times, others = find_times(rows.drop_columns(known), [*(columns or []), *ids], place)
    channels = list(columns) if columns is not None else _all_numbers(path, rows, [*times, *ids, *others, *known])
    return _Table(path, rows, place, ids, times, others, channels, known)


def _refuse_two_roles(known: Sequence[str], roles: Mapping[str, Sequence[str]]) -> None:
    for role, names in roles.items():
        if both := [name for name in known if name in names]:
            raise UserError(
                f"a column known ahead is an input alone; '{both[0]}' is in data.known and in data.{role}: leave it "
                "out of one"
            )


def _series_ids(table: _Table) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """The number of the series that each row belongs to (n_rows,), and the series' ids; `()` for the only series."""
    if not table.ids:
        return np.zeros(table.rows.num_rows, int), [()]
    return series_ids(table.rows, table.ids, table.place)


def _if_present(path: Path, rows: pa.Table, names: Sequence[str]) -> list[str]:
    """The columns `names` of the training file; none, which is reported, where this one lacks some."""
    lacking = [name for name in names if name not in rows.column_names]
    if lacking:
        echo(f"{path} has no column '{lacking[0]}' as the training file had; it is read without")
    return [] if lacking else list(names)


def _all_numbers(path: Path, rows: pa.Table, others: Sequence[str]) -> list[str]:
    """The columns of numbers beside `others`."""
    names = [name for name in rows.column_names if name not in others and is_number(to_array(rows[name]).type)]
    if not names:
        raise UserError(
            f"{path} has no column of numbers to forecast; its columns: {', '.join(rows.column_names)}\n"
            "name one in data.columns=[...] to see which of its rows hold no number"
        )
    return names


def _channel(
    table: _Table, name: str, words: Mapping[str, float] | None = None, fix: str = "correct it there"
) -> np.ndarray:
    """The numbers of a column (n_rows,), which some `words` stand for, NaN where missing; `fix` is for other text."""
    column = to_array(table.rows[name])
    values = require_numbers(column, f"column '{name}' holds numbers", table.place, fix, words)
    refuse_cells(f"column '{name}' holds finite numbers", column, exceeds_float32(values), table.place, fix)
    return values


def _select(path: Path, ids: Sequence[tuple[str, ...]], only: Sequence[str]) -> list[int]:
    """The numbers of the series with the ids `only`, of all if there are none."""
    names = ["/".join(parts) for parts in ids]
    for name in only:
        if name not in names:
            raise unknown_name(f"series in {path}", name, names)
    return [number for number, name in enumerate(names) if not only or name in only]


def _in_order(frames: Sequence[pd.DataFrame], table: _Table) -> list[pd.DataFrame]:
    return regular_series(frames, table.path) if table.times else list(frames)


def _report_columns(table: _Table) -> None:
    order = f"in the order of '{' and '.join(table.times)}'" if table.times else "in the order of the rows"
    ids_or_times = [*table.other_times, *table.ids]
    used = (*table.times, *ids_or_times, *table.channels, *table.known)
    rest = [name for name in table.rows.column_names if name not in used]
    more = "".join(
        f"; left out, as they {reason}: {', '.join(names[:5])}"
        for reason, names in (("are no numbers", rest), ("hold times or ids", ids_or_times))
        if names
    )
    channels = table.channels
    ahead = f"; known ahead: {', '.join(table.known)}" if table.known else ""
    named = f"{', '.join(channels[:8])}{' and more' * (len(channels) > 8)}"
    echo(f"{table.path}: forecasts {named}, {order}{ahead}{more}")


# -- times that repeat


def _refuse_repeated_times(table: _Table, times: Times, codes: np.ndarray) -> None:
    """Raise UserError where a series has a time twice."""
    repeated = pd.MultiIndex.from_arrays([codes, times.values]).duplicated()
    if not times.names or not repeated.any():
        return
    dates, are_days = _dates(times), _are_days(times)
    fixes = ["leave the second one out"]
    if not table.ids:
        fixes.append("name the column of ids, if these are several series: data.series_id=")
    if are_days:
        clock = table.other_times[0] if table.other_times else "..."
        fixes.append(f"name the clock beside the date: data.time=[{times.names[0]},{clock}]")
    if dates is not None and set(dates[repeated].hour) <= {1, 2, 3}:
        fixes.append("where clocks are put back, write times with their offset: 2024-10-27 02:00+01:00")
    rule = f"a series has a row for each time once, in '{' and '.join(times.names)}'"
    cells = pa.array(times.values.astype(str).to_numpy(dtype=object))
    refuse_cells(rule, cells, repeated, table.place, "; or ".join(fixes))


def _find_ids(table: _Table, times: Times) -> list[str]:
    """The columns by which a table whose times repeat is several series, which is reported; none where there are none.

    Raises:
        UserError: where the only such column may count the hours of a day.
    """
    if not times.names or not times.values.duplicated().any():
        return []
    found = find_ids(table.rows, [*times.names, *table.other_times, *table.known], times.values)
    if found is None:
        return []
    ids, n = found
    option = ids[0] if len(ids) == 1 else f"[{','.join(ids)}]"
    first_id = "/".join(series_ids(table.rows, ids, table.place)[1][0])
    rule = f"{table.path} holds {n:,} series by '{' and '.join(ids)}', as its times repeat"
    if _are_days(times) and len(ids) == 1 and is_number(to_array(table.rows[ids[0]]).type):
        raise UserError(
            f"{rule}\nforecast all of them by data.series_id={option}\n"
            f"if '{option}' counts the hours of a day: data.time=[{times.names[0]},{option}]"
        )
    echo(f"{rule}; data.only=[{first_id}] forecasts one of them")
    return ids


def _dates(times: Times) -> pd.DatetimeIndex | None:
    return pd.DatetimeIndex(times.values) if isinstance(times.values, pd.DatetimeIndex) else None


def _are_days(times: Times) -> bool:
    """Whether the times are days, which a clock may complete."""
    dates = _dates(times)
    return dates is not None and bool((dates == dates.normalize()).all())
