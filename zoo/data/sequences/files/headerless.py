"""Tables of sequences without a header, as those of the UCR archive: whether a file is one, and which column holds the
labels."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.errors import UserError
from zoo.data.columns.arrow import is_missing, to_array
from zoo.data.columns.numbers import as_numbers
from zoo.data.formats.dialect import DELIMITERS
from zoo.data.formats.headerless import parse_headerless
from zoo.data.sequences.files.samples import cell_reading, decode
from zoo.data.sequences.files.step_table import COLUMN_NAMES
from zoo.data.sources.packed import open_unpacked

FEWEST = 3  # numbers in a row of values
HEADINGS = {*chain(*COLUMN_NAMES.values())}


def read_headerless(path: Path, reading: Mapping[str, Any]) -> pa.Table | None:
    """Read a text file whose first line holds values; None where it holds headings.

    `headings` in `reading` says which it is; None detects it.
    """
    if reading.get("headings") or ".parquet" in path.name.lower():
        return None
    delimiter, decimal_point, cells, below = _first_cells(path)
    if reading.get("headings") is None and not _are_values(cells, below):
        return None
    with open_unpacked(path) as file:
        text = decode(file.read(), path, reading.get("encoding"))
    ends = ["column 1", f"column {len(cells)}"]  # one may hold labels
    try:
        return parse_headerless(text, delimiter, decimal_point, cell_reading(reading, ends))
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} cannot be read as a table without headings: {error}") from error


def label_column(table: pa.Table, reading: Mapping[str, Any], labelled: bool) -> str | None:
    """The column of labels of a table without a header: the first or the last one.

    Of the two it is the one that holds text or, of whole numbers, fewer different ones. None where new data have just
    as many columns as a sequence had values in training.
    """
    names = table.column_names
    if not labelled and len(names) == reading.get("n_columns", len(names)):
        return None
    if reading.get("target") in names and (labelled or len(names) == reading["n_columns"] + 1):
        return str(reading["target"])
    columns = {name: to_array(table[name]) for name in (names[0], names[-1])}
    n_distinct = {
        name: len(np.unique(as_numbers(column))) for name, column in columns.items() if _may_be_labels(column)
    }
    return min(n_distinct, key=lambda name: n_distinct[name]) if n_distinct else names[0]


def is_monotonic(numbers: np.ndarray) -> bool:
    """Whether numbers always rise or always fall."""
    steps = np.diff(numbers)
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def is_headerless(path: Path) -> bool:
    """Whether the first line of a text file holds values, as `read_headerless` detects it."""
    _, _, cells, below = _first_cells(path)
    return _are_values(cells, below)


def _first_cells(path: Path) -> tuple[str | None, str, list[str], list[str]]:
    """The delimiter and decimal point of a text file, and the cells of its first two lines."""
    with open_unpacked(path) as file:
        first, second = (file.readline().decode("utf-8-sig", "replace").strip("\r\n ") for _ in range(2))
    delimiter = next((candidate for candidate in DELIMITERS if candidate in first), None)
    decimal_point = "," if delimiter != "," and "," in first else "."
    cells, below = (_split(line, delimiter, decimal_point) for line in (first, second))
    return delimiter, decimal_point, cells, below


def _split(line: str, delimiter: str | None, decimal_point: str) -> list[str]:
    return [cell.strip('" ') for cell in line.replace(decimal_point, ".").split(delimiter)]


def _are_values(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the cells of the first line are numbers, perhaps with a label at an end, and no headings.

    Headings rise or fall evenly, or have a name above numbers, or rise or fall where the second line does not.
    """
    numbers, below = (as_numbers(pa.array(cells, pa.string())) for cells in (first, second))
    texts = [k for k, cell in enumerate(first) if np.isnan(numbers[k]) and cell.lower() not in ("", "?", "na", "nan")]
    known = numbers[np.isfinite(numbers)]
    if len(known) < FEWEST or len(texts) > 1 or not set(texts) <= {0, len(first) - 1}:
        return False
    if any(first[k].lower() in HEADINGS or np.isfinite(below[k : k + 1]).any() for k in texts):
        return False
    steps = np.diff(known)
    return not is_monotonic(known) or (not np.allclose(steps, steps[0]) and is_monotonic(below[np.isfinite(below)]))


def _may_be_labels(column: pa.Array) -> bool:
    numbers = as_numbers(column)
    return bool((np.isnan(numbers) & ~is_missing(column)).any() or (numbers == np.floor(numbers)).all())
