"""Files of tables, of any format: read them, and name their rows in messages."""

import contextlib
import functools
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, missing_file
from zoo.data.columns.arrow import check_unique_headings
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.missing_marks import MISSING_MARKS, marks_to_null
from zoo.data.formats.cell_options import DEFAULT_CELLS, CellOptions
from zoo.data.formats.delimited import raw_cell, read_delimited, read_first_rows
from zoo.data.formats.dialect import detect_dialect, find_text_row, no_rows
from zoo.data.formats.table_cache import map_table, write_blocks
from zoo.data.formats.text_encoding import check_encoding, undecodable
from zoo.data.options import clean_heading
from zoo.data.registry import BLOCKS, FORMATS
from zoo.data.sources.cache import cached
from zoo.data.sources.packed import UNPACK_ERRORS, inner_suffix

TEXT = ".txt"  # the format of files whose suffix is not registered


def read_table(path: Path, cells: CellOptions = DEFAULT_CELLS, *, cache: Path | None = None) -> pa.Table:
    """Read the table of a file, by the format that is registered for its suffix, else as text with delimiters.

    Args:
        path: of the file. It may be packed as .gz, .bz2, .xz or .zip.
        cells: options for reading its cells. Formats that mark missing values themselves, such as Parquet and JSON,
            have no default marks.
        cache: a file of the cache, to which the table is written once and from which it is mapped; None reads it into
            memory.

    Raises:
        UserError: for a path that is no such file, and a file that is not a whole table.
    """
    check_path(path)
    check_encoding(cells.encoding)
    with _refused_if_damaged(path, cells.encoding):
        if cache is None:
            table = marks_to_null(FORMATS.get(_format_of(path))(path, cells), cells.missing)
        else:
            table = map_table(cached(cache, functools.partial(_write_to_cache, path, cells)))
    return _checked(path, table)


def read_beginning(path: Path, encoding: str | None = None, n: int = 1000) -> pa.Table:
    """Read at most `n` rows of the beginning of a table, by which its columns are recognised. Raises as `read_table`.

    Args:
        path: of the file, as for `read_table`.
        encoding: of a text file that is not UTF-8; None is Windows-1252.
        n: rows.
    """
    check_path(path)
    check_encoding(encoding)
    with _refused_if_damaged(path, encoding), tempfile.TemporaryDirectory() as folder:
        if is_text_file(path):
            return _checked(path, read_first_rows(path, encoding)).slice(0, n)
        with contextlib.closing(_blocks(path, CellOptions(encoding=encoding), Path(folder))) as blocks:
            return _checked(path, next((block for block in blocks if len(block)), pa.table({}))).slice(0, n)


@contextlib.contextmanager
def _refused_if_damaged(path: Path, encoding: str | None) -> Iterator[None]:
    """Raise UserError where a file cannot be read as a table."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
    except (pa.ArrowException, OSError, ValueError, *UNPACK_ERRORS) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error


def _checked(path: Path, table: pa.Table) -> pa.Table:
    """The table with clean headings. UserError where they are not unique, or there are no rows."""
    names = [clean_heading(name) for name in table.column_names]
    check_unique_headings(names, str(path))
    if not table.num_rows:
        raise no_rows(path, names)
    return table.rename_columns(names).replace_schema_metadata(table.schema.metadata)


def _format_of(path: Path) -> str:
    suffix = inner_suffix(path)
    return suffix if suffix in FORMATS.names() else TEXT


def _write_to_cache(path: Path, cells: CellOptions, file: Path) -> None:
    echo(f"{path.name} is written to {file.parents[1]}, once")
    write_blocks(file, _blocks(path, cells, file.parent), cells.missing)


def _blocks(path: Path, cells: CellOptions, folder: Path) -> Generator[pa.Table, None, None]:
    name = _format_of(path)
    if name in BLOCKS.names():
        yield from BLOCKS.get(name)(path, cells, folder)
    else:
        yield FORMATS.get(name)(path, cells)


def is_text_file(path: Path) -> bool:
    """Whether a file holds its table as text with delimiters."""
    return FORMATS.get(_format_of(path)) is read_delimited


def missing_mark_at(path: Path, cells: CellOptions, column: str, row: int) -> str | None:
    """The default mark that a text file has where a value is missing, if it has one; rows count from 0."""
    if not is_text_file(path):
        return None
    mark = raw_cell(path, detect_dialect(path, cells.encoding), column, row)
    return mark if mark in MISSING_MARKS else None


def find_row(path: Path, cells: CellOptions, name: str) -> int | None:
    """Find the first of the top rows of a text file that has a value."""
    return find_text_row(path, cells.encoding, name) if is_text_file(path) else None


def place_in(path: Path, encoding: str | None = None) -> Place:
    """Return what names a row of a file in messages: by the number that a spreadsheet shows, which counts the headings
    of a text file."""

    @functools.cache
    def first() -> int:
        return 1 + (detect_dialect(path, encoding or "latin-1").headings_row if is_text_file(path) else 0)

    return lambda row: f"row {row + first()} of {path.name}"


def check_path(path: Path) -> None:
    """Raise UserError, with the nearest names, unless `path` is a file."""
    if path.is_file():
        return
    if path.is_dir():
        names = ", ".join(sorted(file.name for file in path.iterdir())[:8]) or "nothing"
        raise UserError(f"a table is one file; {path} is a folder with {names}")
    raise missing_file(path)
