"""The rows of a file of the user's, or of two that are read together."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_number, to_array
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.text import as_text
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.pandas_index import pandas_index
from zoo.data.formats.table_cache import cache_files
from zoo.data.formats.table_file import missing_mark_at, place_in, read_table


class OwnFile(NamedTuple):
    """The rows of a file, or of two.

    Args:
        table: all rows.
        n: rows of the first file.
        place: how messages name a row.
        mark: the mark of missing values that a column has in a row, if it is one of the usual marks.
        index_columns: those that pandas wrote as an index.
        keep: the file of the cache that the table is mapped from, if it is.
    """

    table: pa.Table
    n: int
    place: Place
    mark: Callable[[str, int], str | None]
    pandas_index: list[str]
    keep: Path | None


def read_own_files(paths: Sequence[Path], reading: CellOptions, cache: bool | str) -> OwnFile:
    """Read one file or two; what is in the second alone is left out."""
    keeps = cache_files(paths, cache, reading)
    tables = [read_table(path, reading, cache=keep) for path, keep in zip(paths, keeps, strict=True)]
    places = [place_in(path, reading.encoding) for path in paths]
    marks = [partial(missing_mark_at, path, reading) for path in paths]
    n, index = len(tables[0]), pandas_index(tables[0])
    if len(paths) == 1:
        return OwnFile(tables[0], n, places[0], marks[0], index, keeps[0])
    return OwnFile(
        _joined_tables(tables[0], tables[1], index, paths[1]),
        n,
        lambda row: places[0](row) if row < n else places[1](row - n),
        lambda name, row: marks[0](name, row) if row < n else marks[1](name, row - n),
        index,
        keeps[0] and keeps[0].with_stem(f"{keeps[0].stem}-{keeps[1].stem}"),
    )


def find_column(table: pa.Table, name: str, where: str = "") -> pa.ChunkedArray:
    """A column; UserError, with the nearest name, where it is not there."""
    if name not in table.column_names:
        raise UserError(f"{unknown_name('column', name, table.column_names)}{where}")
    return table[name]


def _joined_tables(one: pa.Table, other: pa.Table, index: Sequence[str], path: Path) -> pa.Table:
    names = [name for name in one.column_names if name in other.column_names or name not in index]
    return pa.table({name: _joined(one[name], find_column(other, name, f" in {path}")) for name in names})


def _joined(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """One column of two files; as text where they are of different types."""
    if one.type == other.type:
        return pa.chunked_array([*one.chunks, *other.chunks])
    arrays = [to_array(one), to_array(other)]
    kinds = [array.type for array in arrays]
    if kinds[0] != kinds[1] and pa.null() not in kinds and not all(map(is_number, kinds)):
        arrays = [as_text(array) for array in arrays]
    tables = [pa.table({"": array}) for array in arrays]
    return pa.concat_tables(tables, promote_options="permissive")[""]
