"""Tables of sequences, which have a row for each step, or for each sequence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.columns.arrow import to_array
from zoo.data.columns.numbers import parse_zero_padded
from zoo.data.formats.pandas_index import drop_index, untimed_index
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import match_headings
from zoo.data.sequences.files.headerless import read_headerless
from zoo.data.sequences.files.row_table import read_rows, step_columns
from zoo.data.sequences.files.samples import Samples, cell_reading
from zoo.data.sequences.files.step_table import named_column, read_steps

LAYOUTS = ("long", "wide")  # a row is a step, or a sequence


def read_sequence_table(path: Path, reading: Mapping[str, Any], labelled: bool) -> Samples:
    """Read the sequences of a table.

    Args:
        path: of the table.
        reading: `layout` and `headings` say how the file is laid out, which else is detected; `id`, `time` and `target`
            name columns.
        labelled: whether there must be a label for each sequence.
    """
    table = read_headerless(path, reading)
    if table is not None:
        options = {**reading, "headings": False}
        layout = read_steps if reading.get("layout") == "long" else read_rows
        return layout(path, table, lambda row: f"row {row + 1} of {path.name}", options, labelled)
    table = _read_with_header(path, reading)
    options = {**reading, "headings": reading.get("headings") or None}
    layout = read_rows if _is_wide(table, reading) else read_steps
    return layout(path, table, place_in(path, reading.get("encoding")), options, labelled)


def _read_with_header(path: Path, reading: Mapping[str, Any]) -> pa.Table:
    """Read a table without an index of pandas; whole numbers with leading zeros are numbers, except ids and labels."""
    table = read_table(path, cell_reading(reading))
    codes = [name for role in ("id", "target") if (name := named_column(table, reading.get(role), role, False))]
    named = [*codes, *match_headings(reading.get("time"), table.column_names), *(reading.get("columns") or [])]
    return drop_index(parse_zero_padded(table, codes), untimed_index(table), named)


def _is_wide(table: pa.Table, reading: Mapping[str, Any]) -> bool:
    """Whether a row is a sequence: as `layout` says, else by the headings, where no sequence has several rows."""
    if reading.get("layout"):
        return reading["layout"] == "wide"
    channels = reading.get("columns") or [""]
    if set(channels) <= set(table.column_names):
        return False
    id = named_column(table, reading.get("id"), "id", False)
    time = reading.get("time") or named_column(table, None, "time", False)
    if time or (id and pc.count_distinct(to_array(table[id])).as_py() < table.num_rows):
        return False
    return bool(id and table.num_rows > 1) or bool(step_columns([name for name in table.column_names if name != id]))
