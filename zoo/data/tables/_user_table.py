"""A user's table: one file, or a file to train on and one to test on."""

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


class UserTable(NamedTuple):
    """The rows of one or two files.

    Attributes:
        table: all rows.
        n: rows of the first file.
        place: names a row.
        mark: the default mark of missing values that a column has in a row, if it has one.
        index_columns: those that pandas wrote as an index.
        cache: the file of the cache that the table is mapped from; None in memory.
    """

    table: pa.Table
    n: int
    place: Place
    mark: Callable[[str, int], str | None]
    index_columns: list[str]
    cache: Path | None


def open_user_table(paths: Sequence[Path], cells: CellOptions, cache: bool | str) -> UserTable:
    """Read one file or two; columns of the second alone are left out."""
    files = cache_files(paths, cache, cells)
    tables = [read_table(path, cells, cache=file) for path, file in zip(paths, files, strict=True)]
    places = [place_in(path, cells.encoding) for path in paths]
    marks = [partial(missing_mark_at, path, cells) for path in paths]
    n, index = len(tables[0]), pandas_index(tables[0])
    if len(paths) == 1:
        return UserTable(tables[0], n, places[0], marks[0], index, files[0])
    return UserTable(
        _join_tables(tables[0], tables[1], index, paths[1]),
        n,
        lambda row: places[0](row) if row < n else places[1](row - n),
        lambda name, row: marks[0](name, row) if row < n else marks[1](name, row - n),
        index,
        files[0] and files[0].with_stem(f"{files[0].stem}-{files[1].stem}"),
    )


def _join_tables(train: pa.Table, test: pa.Table, index: Sequence[str], test_path: Path) -> pa.Table:
    names = [name for name in train.column_names if name in test.column_names or name not in index]
    for name in names:
        if name not in test.column_names:
            raise UserError(f"{unknown_name('column', name, test.column_names)} in {test_path}")
    return pa.table({name: _join_columns(train[name], test[name]) for name in names})


def _join_columns(train: pa.ChunkedArray, test: pa.ChunkedArray) -> pa.ChunkedArray:
    """Join a column of two files; as text if they are of different types."""
    if train.type == test.type:
        return pa.chunked_array([*train.chunks, *test.chunks])
    arrays = [to_array(train), to_array(test)]
    types = [array.type for array in arrays]
    if types[0] != types[1] and pa.null() not in types and not all(map(is_number, types)):
        arrays = [as_text(array) for array in arrays]
    tables = [pa.table({"": array}) for array in arrays]
    return pa.concat_tables(tables, promote_options="permissive")[""]
