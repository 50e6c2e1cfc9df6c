"""Tables with a sequence in each row, with headings or without."""

import io
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_missing, is_text, to_array
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.dates import as_dates, matching_date_formats
from zoo.data.columns.missing_marks import MISSING_CELLS
from zoo.data.columns.numbers import as_numbers, parse_zero_padded, require_numbers
from zoo.data.formats.dialect import DELIMITERS
from zoo.data.formats.pandas_index import drop_index, untimed_index
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import match_headings
from zoo.data.sequences.files.samples import Sequences, cells_of, decoded, without_padding
from zoo.data.sequences.files.step_table import USUAL, named_column, read_long
from zoo.data.sources.packed import open_unpacked

FEWEST = 3  # numbered columns that are the steps of a sequence
LAYOUTS = ("long", "wide")
NAMES = {*chain(*USUAL.values())}  # of columns


def read_sequence_table(path: Path, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    """The sequences of a table, of which each row is a step, or a sequence.

    Args:
        path: of the table.
        reading: `layout` and `headings` say what is not to be told by the look; `id`, `time` and `target` name columns.
        labelled: whether there must be a label for each sequence.
    """
    table = _without_headings(path, reading)
    bare = table is not None
    place: Place = (lambda row: f"row {row + 1} of {path.name}") if bare else place_in(path, reading.get("encoding"))
    table = _with_headings(path, reading) if table is None else table
    if _is_wide(table, bare, reading):
        return _read_wide(path, table, bare, place, reading, labelled)
    return read_long(path, table, place, reading, labelled)


def _with_headings(path: Path, reading: Mapping[str, Any]) -> pa.Table:
    """The table of a file, but for an index of pandas; codes are numbers, but for those of ids and labels."""
    table = read_table(path, cells_of(reading))
    codes = [name for field in ("id", "target") if (name := named_column(table, reading.get(field), field, False))]
    named = [*codes, *match_headings(reading.get("time"), table.column_names), *(reading.get("columns") or [])]
    return drop_index(parse_zero_padded(table, codes), untimed_index(table), named)


def _is_wide(table: pa.Table, bare: bool, reading: Mapping[str, Any]) -> bool:
    """Whether a row is a sequence: as was said, or by its headings, where no sequence has several rows."""
    if reading.get("layout"):
        return reading["layout"] == "wide"
    channels = reading.get("columns") or [""]
    if bare or set(channels) <= set(table.column_names):
        return bare
    id = named_column(table, reading.get("id"), "id", False)
    time = reading.get("time") or named_column(table, None, "time", False)
    if time or (id and pc.count_distinct(to_array(table[id])).as_py() < table.num_rows):
        return False
    return bool(id and table.num_rows > 1) or bool(_channels([name for name in table.column_names if name != id]))


def _read_wide(
    path: Path, table: pa.Table, bare: bool, place: Place, reading: Mapping[str, Any], labelled: bool
) -> Sequences:
    id, label = (named_column(table, reading.get(field), field, labelled) for field in ("id", "target"))
    if bare:
        label = _label_column(table, reading, labelled)
    elif labelled and not label:
        label = _only_other(path, [name for name in table.column_names if name != id])
    names = [name for name in table.column_names if name not in (id, label)]
    numbered = {} if bare else _channels(names)
    if reading.get("layout") == "wide" and len(trained := reading.get("columns", [])) > 1:
        numbered = _as_trained(path, numbered, trained)
    n = reading.get("n_columns", len(names))
    if not (labelled or numbered) and len(names) != n:
        raise UserError(
            f"a row here has {n:,} values, and perhaps a label; {path.name} has {table.num_columns:,} columns"
        )
    channels = numbered or {"": names}
    values = _values(path, table, place, channels)
    used = [name for columns in channels.values() for name in columns]
    if labelled:
        _say(path, values.shape, used, str(label), [name for name in names if name not in used])
    found: dict[str, Any] = {"layout": "wide", "n_columns": len(used), "id": id, "target": label}
    found["headings"] = False if bare else reading.get("headings")
    return Sequences(
        without_padding(list(values), path.name),
        _labels(to_array(table[label])) if labelled else None,
        [f"id {name}" for name in to_array(table[id]).to_pylist()] if id else list(map(place, range(len(values)))),
        list(channels) if len(channels) > 1 else ["channel 1"],
        reading={key: value for key, value in found.items() if value is not None},
    )


def _as_trained(path: Path, numbered: Mapping[str, list[str]], trained: Sequence[str]) -> dict[str, list[str]]:
    """The columns of each channel, in the order in which the training file had the channels."""
    for channel in trained:
        if channel not in numbered:
            raise unknown_name(f"channel in {path.name}", channel, numbered)
    return {channel: numbered[channel] for channel in trained}


def _only_other(path: Path, names: Sequence[str]) -> str:
    """The one column that is no step, as labels are called by any name."""
    steps = {name for columns in _channels(names).values() for name in columns}
    others = [name for name in names if name not in steps]
    if len(others) != 1:
        raise UserError(f"a table of sequences has a column of labels; say which it is of {path.name}'s: data.target= "
                        f"one of {', '.join(others[:8] or names[:8])}")  # fmt: skip
    return others[0]


def _values(path: Path, table: pa.Table, place: Place, channels: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The values (n, time, n_channels) of the columns of each channel."""
    if len(set(map(len, channels.values()))) > 1:
        counts = ", ".join(f"{name} {len(columns)}" for name, columns in channels.items())
        raise UserError(f"all channels of a sequence have as many columns; {path.name} has {counts}")
    fix = "correct them, or name the column of labels by data.target="

    def cells(name: str) -> np.ndarray:
        return require_numbers(to_array(table[name]), f"column '{name}' holds values", place, fix)

    return np.stack([np.stack([cells(name) for name in columns], axis=1) for columns in channels.values()], axis=2)


def _say(path: Path, shape: tuple[int, ...], cells: Sequence[str], label: str, rest: Sequence[str]) -> None:
    n, n_steps, n_channels = shape
    several = f" and {n_channels} channels" if n_channels > 1 else ""
    more = f"; left out are the columns {', '.join(rest[:5])}{', ...' * (len(rest) > 5)}" if rest else ""
    echo(f"{path.name}: {n:,} rows are sequences of {n_steps:,} steps{several}, '{cells[0]}' to '{cells[-1]}', target "
          f"'{label}' (data.target){more}; data.layout=long if rows are steps")  # fmt: skip


def _labels(column: pa.Array) -> pa.Array:
    """Labels, those of numbers such as 1.0e+00 as numbers."""
    numbers = as_numbers(column)
    written = is_text(column.type) and pc.any(pc.match_substring_regex(column, "[.eE]")).as_py()
    return pa.array(numbers) if written and not (np.isnan(numbers) & ~is_missing(column)).any() else column


# -- headings


def _channels(names: Sequence[str]) -> dict[str, list[str]]:
    """The columns that are steps, in their order, by the name of their channel; none where they are not numbered."""
    numbers = as_numbers(pa.array(names, pa.string()))
    if np.isfinite(numbers).sum() >= FEWEST:
        return {"": [names[k] for k in np.argsort(numbers, kind="stable") if np.isfinite(numbers[k])]}
    numbered = [name for name in names if re.search("[0-9]", name)]
    dates = pa.array(numbered, pa.string())
    if len(numbered) >= FEWEST and (forms := matching_date_formats(dates)):
        return {"": [numbered[k] for k in np.argsort(as_dates(dates, forms[0]), kind="stable")]}
    groups: dict[str, list[tuple[float, str]]] = {}
    for name in numbered:
        number = re.findall(r"[0-9]+(?:\.[0-9]+)?", name)[-1]
        before, _, after = name.rpartition(number)
        groups.setdefault(f"{before}#{after}", []).append((float(number), name))
    large = {kind: [name for _, name in sorted(group)] for kind, group in groups.items() if len(group) >= FEWEST}
    return {kind.strip("#_-. []") or kind: columns for kind, columns in large.items()}


# -- tables without headings


def _without_headings(path: Path, reading: Mapping[str, Any]) -> pa.Table | None:
    """The table of a text file whose first line holds values, as those of the UCR archive; None where it does not."""
    if reading.get("headings") or ".parquet" in path.name.lower():
        return None
    with open_unpacked(path) as file:
        lines = [file.readline().decode("utf-8-sig", "replace").strip("\r\n ") for _ in range(2)]
    mark = next((one for one in DELIMITERS if one in lines[0]), None)
    comma = mark != "," and "," in lines[0]
    cells, below = ([cell.strip('" ') for cell in _pointed(line, comma).split(mark)] for line in lines)
    if reading.get("headings") is None and not _are_values(cells, below):
        return None
    marks = cells_of(reading)
    ends = {0: str, len(cells) - 1: str}  # one may hold labels
    gaps: Any = {k: marks.marks() if k in ends else [*MISSING_CELLS, *marks.missing] for k in range(len(cells))}
    with open_unpacked(path) as file:
        text = decoded(file.read(), path, reading.get("encoding"))
    try:
        frame = pd.read_csv(
            io.StringIO(_pointed(text, comma)),
            sep=mark or r"\s+",
            header=None,
            dtype=ends,
            skipinitialspace=True,
            na_values=gaps,
            keep_default_na=False,
            low_memory=False,  # which makes numbers of some rows of a column and text of others
        )
    except ValueError as error:
        raise UserError(f"{path} cannot be read as a table without headings: {error}") from error
    return pa.table({f"column {k + 1}": pa.array(frame[k], from_pandas=True) for k in range(frame.shape[1])})


def _pointed(text: str, comma: bool) -> str:
    return text.replace(",", ".") if comma else text


def _are_values(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the cells of the first line are numbers, but for a label at an end, and no headings: those rise or fall
    evenly, or have a name above numbers, or rise or fall where the second line does not."""
    numbers, below = (as_numbers(pa.array(cells, pa.string())) for cells in (first, second))
    texts = [k for k, cell in enumerate(first) if np.isnan(numbers[k]) and cell.lower() not in ("", "?", "na", "nan")]
    known = numbers[np.isfinite(numbers)]
    if len(known) < FEWEST or len(texts) > 1 or not set(texts) <= {0, len(first) - 1}:
        return False
    if any(first[k].lower() in NAMES or np.isfinite(below[k : k + 1]).any() for k in texts):
        return False
    steps = np.diff(known)
    return not _is_monotonic(known) or (not np.allclose(steps, steps[0]) and _is_monotonic(below[np.isfinite(below)]))


def _is_monotonic(numbers: np.ndarray) -> bool:
    steps = np.diff(numbers)
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _label_column(table: pa.Table, reading: Mapping[str, Any], labelled: bool) -> str | None:
    """The column of labels where there are no headings: the first or the last, whichever holds text or, of whole
    numbers, fewer different ones; none where there are just as many columns as values were in training."""
    names = table.column_names
    if not labelled and len(names) == reading.get("n_columns", len(names)):
        return None
    if reading.get("target") in names and (labelled or len(names) == reading["n_columns"] + 1):
        return str(reading["target"])
    likely = {name: len(np.unique(as_numbers(to_array(table[name])))) for name in (names[0], names[-1])
              if _like_labels(to_array(table[name]))}  # fmt: skip
    return min(likely, key=lambda name: likely[name]) if likely else names[0]


def _like_labels(column: pa.Array) -> bool:
    numbers = as_numbers(column)
    return bool((np.isnan(numbers) & ~is_missing(column)).any() or (numbers == np.floor(numbers)).all())
