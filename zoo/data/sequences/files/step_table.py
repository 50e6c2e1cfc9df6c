"""Tables of steps, one row each: which sequence it belongs to, when, the values of the channels, and a label."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_missing, is_number, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.dates import read_dates
from zoo.data.columns.numbers import as_numbers, require_numbers
from zoo.data.columns.text import as_text
from zoo.data.options import match_heading, match_headings
from zoo.data.sequences.files.samples import Sequences
from zoo.data.sequences.files.time_columns import find_times, read_times

USUAL = {
    "id": ("id", "sequence", "sequence_id", "series", "series_id", "sample", "sample_id", "case", "case_id"),
    "time": ("time", "timestamp", "step", "t", "date", "datetime"),
    "target": ("label", "class", "target", "y"),
}


def read_long(path: Path, table: pa.Table, place: Place, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    """The sequences of a table, in the order in which their ids first appear, each in the order of its times.

    `reading` may name the columns of `id`, `time` and `target`; else these are told by usual names, and times by what
    they hold. All others are channels, unless `reading` lists those in `columns`. Where no labels are needed, neither
    are those columns, and a table without ids is one sequence.
    """
    named = {field: named_column(table, reading.get(field), field, labelled) for field in ("id", "target")}
    taken = [*(reading.get("columns") or []), *(name for name in named.values() if name)]
    times, others = _time_columns(table, reading.get("time"), taken, place, labelled)
    ids = to_array(table[named["id"]]) if named["id"] else None
    if labelled and (ids is None or not named["target"]):
        field = "target" if ids is not None else "id"
        raise UserError(
            f"a table of steps has a column for the {field}; none is called {', '.join(USUAL[field])}\n"
            f"say which of {path.name}'s columns it is: data.{field}= one of {', '.join(table.column_names[:8])}\n"
            "a whole sequence in each row: data.layout=wide; one long series, to be forecast: data=series; texts: "
            "data=texts"
        )
    channels = reading.get("columns") or [
        name for name in table.column_names if name not in (*named.values(), *times, *others)
    ]
    if not channels:
        raise UserError(f"a table of steps has columns of values; {path.name} has only {', '.join(table.column_names)}")
    values = np.stack([_numbers(table, name, place) for name in channels], axis=1)
    codes, names = _codes(ids, table.num_rows, place)
    _, when, form = read_times(table, times, place, reading.get("date_form"))
    order = np.lexsort((when.to_numpy(), codes))
    if times:
        _refuse_double(when, codes, order, names)
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    labels = _labels(to_array(table[named["target"]]), codes, names) if labelled else None
    if labelled:
        _say(path, named, times, channels)
    found: dict[str, Any] = {"layout": "long", **{field: name for field, name in named.items() if name}}
    found |= {"time": times[0] if len(times) == 1 else times} if times else {}
    found |= {"date_form": form} if form else {}
    return Sequences(np.split(values[order], bounds), labels, [f"id {name}" for name in names], channels, None, found)


def named_column(table: pa.Table, name: Any, field: str, needed: bool) -> str | None:
    """The column of a field: the one named, else one of a usual name, else none."""
    if name is not None:
        name = match_heading(name, table.column_names)
        if name in table.column_names:
            return name
        if needed:
            raise unknown_name(f"column (data.{field})", name, table.column_names)
    by_lower = {column.lower(): column for column in reversed(table.column_names)}
    return next((by_lower[usual] for usual in USUAL[field] if usual in by_lower), None)


def _time_columns(
    table: pa.Table, named: Any, taken: Sequence[str], place: Place, needed: bool
) -> tuple[list[str], list[str]]:
    """The columns that order the rows: those named, else those that hold times, else one of a usual name; and others
    that hold times."""
    named = match_headings(named, table.column_names)
    if named and (needed or set(named) <= set(table.column_names)):
        return [named_column(table, name, "time", needed) or name for name in named], []
    found, others = find_times(table, taken, place)
    usual = named_column(table, None, "time", False)
    return found or ([usual] if usual and usual not in taken else []), [name for name in others if name != usual]


def _say(path: Path, named: Mapping[str, str | None], times: Sequence[str], channels: Sequence[str]) -> None:
    order = f"in the order of '{' and '.join(times)}'" if times else "in the order of the rows"
    more = f" and {len(channels) - 5} more" if len(channels) > 5 else ""
    echo(
        f"{path.name}: sequences by '{named['id']}', {order}; target '{named['target']}'; "
        f"channels {', '.join(channels[:5])}{more}"
    )


def _numbers(table: pa.Table, name: str, place: Place) -> np.ndarray:
    """A channel (n_rows,), NaN where a value is missing."""
    if name not in table.column_names:
        raise UserError(f"the input lacks a channel: {unknown_name('column', name, table.column_names)}")
    fix = f"correct them, or leave column '{name}' out of the file"
    return require_numbers(to_array(table[name]), f"channel '{name}' holds numbers", place, fix)


def _codes(ids: pa.Array | None, n: int, place: Place) -> tuple[np.ndarray, list[str]]:
    """Which sequence each row belongs to (n_rows,), in the order of appearance, and the sequences' ids."""
    if ids is None:
        return np.zeros(n, dtype=np.int64), ["of the whole file"]
    refuse_cells(
        "each row has the id of its sequence", ids, is_missing(ids), place, "fill it in, or leave these rows out"
    )
    encoded = pc.dictionary_encode(ids)
    return encoded.indices.to_numpy(), [str(name) for name in encoded.dictionary.to_pylist()]


def times_of(array: pa.Array, what: str, place: Place) -> np.ndarray:
    """Times (n,) as numbers in their order; UserError for what is neither a number nor a date."""
    times = as_numbers(array)
    if np.isnan(times).any() and not is_number(array.type):
        dates = read_dates(what, array, place)
        times = np.where(dates.isna(), np.nan, dates.to_numpy().astype("datetime64[ns]").astype(np.float64))
    rule = f"each step has a time, as a number or a date such as 2024-12-31 23:59; so {what}"
    refuse_cells(rule, array, np.isnan(times), place, "correct these rows")
    return times


def _refuse_double(times: pd.Index, codes: np.ndarray, order: np.ndarray, names: Sequence[str]) -> None:
    pairs = np.stack([codes, pd.factorize(times)[0]])[:, order]
    double = np.flatnonzero((np.diff(pairs) == 0).all(0))
    if len(double):
        row = order[double[0]]
        raise UserError(
            f"a sequence has one row for a time; id {names[codes[row]]} has time {times[row]} twice "
            f"({len(double)} such rows)\nleave one of them out, or name the column of ids by data.id="
        )


def _labels(column: pa.Array, codes: np.ndarray, names: Sequence[str]) -> pa.Array:
    """The label of each sequence (n,): the one that its rows have, null where they have none."""
    groups = as_text(column).to_pandas().groupby(codes)
    counts = groups.nunique()
    if (counts > 1).any():
        several = counts[counts > 1].index
        raise UserError(
            f"a sequence has one label; {len(several)} have several, such as id {names[several[0]]} with "
            f"{', '.join(map(str, groups.unique()[several[0]][:3]))}\ncorrect the rows, or data.id= and data.target="
        )
    return pa.array(groups.first(), from_pandas=True)
