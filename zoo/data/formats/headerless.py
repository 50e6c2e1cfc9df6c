"""Text tables without a header, with a delimiter or white space between values."""

import io

import pyarrow as pa

from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.delimited import parse_file, with_decimal_points
from zoo.data.formats.dialect import Dialect


def parse_headerless(text: str, delimiter: str | None, decimal_point: str, cells: CellOptions) -> pa.Table:
    """Parse a table whose first line holds values. Its columns are called "column 1", "column 2" and so on.

    Args:
        text: of the whole file.
        delimiter: between values; None is white space.
        decimal_point: of numbers.
        cells: how they are read.

    Raises:
        ArrowInvalid: where a row has more values than the first one. Shorter rows end in missing values.
    """
    rows = [line for line in text.split("\n") if line.strip()]
    if delimiter is None:
        delimiter, rows = " ", [" ".join(row.split()) for row in rows]
    n_columns = rows[0].count(delimiter) + 1
    names = [f"column {number}" for number in range(1, n_columns + 1)]
    dialect = Dialect("utf8", delimiter, decimal_point, names, skip=0, headings_row=0)
    content = "\n".join(_fill(row, delimiter, n_columns) for row in rows)
    return with_decimal_points(parse_file(io.BytesIO(content.encode("utf-8", "replace")), dialect, cells), dialect)


def _fill(row: str, delimiter: str, n_columns: int) -> str:
    """Add the delimiters that a row lacks; a quote may hold others."""
    return row if '"' in row else row.rstrip("\r") + delimiter * (n_columns - 1 - row.count(delimiter))
