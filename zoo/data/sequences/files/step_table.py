"""Tables with a row for each step: the id of its sequence, its time, the values of the channels, and a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_missing, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.numbers import require_numbers
from zoo.data.columns.text import as_text
from zoo.data.options import match_heading, match_headings
from zoo.data.sequences.files.samples import Samples
from zoo.data.sequences.files.time_columns import find_times
from zoo.data.sequences.files.time_values import read_times

COLUMN_NAMES = {  # that a column usually has
    "id": ("id", "sequence", "sequence_id", "series", "series_id", "sample", "sample_id", "case", "case_id", "piece"),
    "time": ("time", "timestamp", "step", "t", "date", "datetime"),
    "target": ("label", "class", "target", "y"),
}


MOST = 0.5  # share of sequences whose label changes, above which each step has its own


@dataclass(frozen=True)
class _Columns:
    """The columns of a table of steps by their roles; `id` and `target` are None where there are none."""

    id: str | None
    target: str | None
    times: list[str]
    channels: list[str]


def read_steps(path: Path, table: pa.Table, place: Place, reading: Mapping[str, Any], labelled: bool) -> Samples:
    """Read the sequences of a table in the order in which their ids appear, each in the order of its times.

    `reading` may name the columns `id`, `time` and `target`, else they are found by usual names, and times by what they
    hold; all others are channels, unless `reading` lists those in `columns`. `per_step` in it says whether each step
    has its own label, which else is inferred. If not labelled, these columns may be missing, and a table without ids is
    one sequence.
    """
    columns = _find_columns(path, table, place, reading, labelled)
    values = np.stack([_channel(table, name, place) for name in columns.channels], axis=1)  # (n_rows, n_channels)
    rows, names, form = sequence_rows(table, columns.id, columns.times, place, reading.get("date_form"))
    labels = None
    if labelled:
        labels = _labels(to_array(table[columns.target]), rows, names, reading.get("per_step"))
        _report_columns(path, columns)
    headings = [name for name in (columns.id, *columns.times) if name]
    texts = {name: as_text(to_array(table[name])).to_numpy(zero_copy_only=False) for name in headings}
    return Samples(
        [values[of_one] for of_one in rows],
        labels,
        [f"id {name}" for name in names],
        columns.channels,
        reading=_later_reading(columns, form),
        steps={name: [text[of_one].tolist() for of_one in rows] for name, text in texts.items()},
    )


def sequence_rows(
    table: pa.Table, id: str | None, times: Sequence[str], place: Place, date_form: str | None = None
) -> tuple[list[np.ndarray], list[str], str | None]:
    """The rows of each sequence in the order of its times, the sequences' ids in the order in which they appear, and
    the form of the dates.

    Args:
        table: with a row for each step.
        id: the column of ids; None for one sequence.
        times: the columns of times; none keep the order of the rows.
        place: names a row in messages.
        date_form: of the dates, where it is known.
    """
    codes, names = _sequence_codes(to_array(table[id]) if id else None, table.num_rows, place)
    _, when, form = read_times(table, times, place, date_form)
    order = np.lexsort((when.to_numpy(), codes))
    if times:
        _refuse_repeated_times(when, codes, order, names)
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1), names, form


def named_column(table: pa.Table, name: Any, role: str, required: bool) -> str | None:
    """The column that `name` asks for, else one of a usual name for the role, else None."""
    if name is not None:
        name = match_heading(name, table.column_names)
        if name in table.column_names:
            return name
        if required:
            raise unknown_name(f"column (data.{role})", name, table.column_names)
    by_lower = {column.lower(): column for column in reversed(table.column_names)}
    return next((by_lower[usual] for usual in COLUMN_NAMES[role] if usual in by_lower), None)


def _find_columns(path: Path, table: pa.Table, place: Place, reading: Mapping[str, Any], labelled: bool) -> _Columns:
    id, target = (named_column(table, reading.get(role), role, labelled) for role in ("id", "target"))
    taken = [*(reading.get("columns") or []), *(name for name in (id, target) if name)]
    times, others = _time_columns(table, reading.get("time"), taken, place, labelled)
    if labelled and not (id and target):
        raise _lacking_column(path, table, "target" if id else "id")
    unused = (id, target, *times, *others)
    channels = reading.get("columns") or [name for name in table.column_names if name not in unused]
    if not channels:
        raise UserError(f"a table of steps has columns of values; {path.name} has only {', '.join(table.column_names)}")
    return _Columns(id, target, times, channels)


def _lacking_column(path: Path, table: pa.Table, role: str) -> UserError:
    return UserError(
        f"a table of steps has a column for the {role}; none is called {', '.join(COLUMN_NAMES[role])}\n"
        f"cnn and rnn learn images and sequences; for a table of other rows: zoo train fnn {path.name} COLUMN\n"
        f"say which of {path.name}'s columns it is: data.{role}= one of {', '.join(table.column_names[:8])}\n"
        "a whole sequence in each row: data.layout=wide; one long series, to be forecast: data=series; texts: "
        "data=texts"
    )


def _time_columns(
    table: pa.Table, named: Any, taken: Sequence[str], place: Place, required: bool
) -> tuple[list[str], list[str]]:
    """The columns that order the rows: those named, else those that hold times, else one of a usual name; and others
    that hold times."""
    named = match_headings(named, table.column_names)
    if named and (required or set(named) <= set(table.column_names)):
        return [named_column(table, name, "time", required) or name for name in named], []
    found, others = find_times(table, taken, place)
    usual = named_column(table, None, "time", False)
    return found or ([usual] if usual and usual not in taken else []), [name for name in others if name != usual]


def _later_reading(columns: _Columns, form: str | None) -> dict[str, Any]:
    """The options with which a later table is read like this one."""
    times = columns.times[0] if len(columns.times) == 1 else columns.times
    options = {"id": columns.id, "target": columns.target, "time": times, "date_form": form}
    return {"layout": "long", **{name: value for name, value in options.items() if value}}


def _report_columns(path: Path, columns: _Columns) -> None:
    order = f"in the order of '{' and '.join(columns.times)}'" if columns.times else "in the order of the rows"
    channels = columns.channels
    more = f" and {len(channels) - 5} more" if len(channels) > 5 else ""
    echo(
        f"{path.name}: sequences by '{columns.id}', {order}; target '{columns.target}'; "
        f"channels {', '.join(channels[:5])}{more}"
    )


def _channel(table: pa.Table, name: str, place: Place) -> np.ndarray:
    """The values of a channel (n_rows,), NaN where missing."""
    if name not in table.column_names:
        raise UserError(f"the input lacks a channel: {unknown_name('column', name, table.column_names)}")
    fix = f"correct them, or leave column '{name}' out of the file"
    return require_numbers(to_array(table[name]), f"channel '{name}' holds numbers", place, fix)


def _sequence_codes(ids: pa.Array | None, n_rows: int, place: Place) -> tuple[np.ndarray, list[str]]:
    """The number of the sequence that each row belongs to (n_rows,), in the order of appearance, and their ids."""
    if ids is None:
        return np.zeros(n_rows, dtype=np.int64), ["of the whole file"]
    refuse_cells(
        "each row has the id of its sequence", ids, is_missing(ids), place, "fill it in, or leave these rows out"
    )
    encoded = pc.dictionary_encode(ids)
    return encoded.indices.to_numpy(), [str(name) for name in encoded.dictionary.to_pylist()]


def _refuse_repeated_times(times: pd.Index, codes: np.ndarray, order: np.ndarray, names: Sequence[str]) -> None:
    pairs = np.stack([codes, pd.factorize(times)[0]])[:, order]
    repeated = np.flatnonzero((np.diff(pairs) == 0).all(0))
    if len(repeated):
        row = order[repeated[0]]
        raise UserError(
            f"a sequence has one row for a time; id {names[codes[row]]} has time {times[row]} twice "
            f"({len(repeated)} such rows)\nleave one of them out, or name the column of ids by data.id="
        )


def _labels(column: pa.Array, rows: Sequence[np.ndarray], names: Sequence[str], per_step: bool | None) -> pa.Array:
    """The label of each sequence (n,), null where its rows have none; or with `per_step` a list of those of its steps.
    None takes the latter where the label changes within most sequences.

    Raises:
        UserError: where a sequence has one label, and its rows have several.
    """
    lengths = [len(of_one) for of_one in rows]
    ordered = column.take(pa.array(np.concatenate(rows)))
    groups = as_text(ordered).to_pandas().groupby(np.repeat(np.arange(len(rows)), lengths))
    changes = groups.nunique() > 1
    if changes.mean() > MOST if per_step is None else per_step:
        return pa.ListArray.from_arrays(np.cumsum([0, *lengths]).astype(np.int32), ordered)
    if changes.any():
        several = changes[changes].index
        raise UserError(
            f"a sequence has one label; {len(several)} have several, such as id {names[several[0]]} with "
            f"{', '.join(map(str, groups.unique()[several[0]][:3]))}\n"
            "correct the rows, or data.id= and data.target=; data.task=tagging where each step has its own"
        )
    return pa.array(groups.first(), from_pandas=True)
