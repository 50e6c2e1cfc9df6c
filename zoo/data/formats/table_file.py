"""Files of tables, as Arrow tables: CSV of any dialect, JSON lines, and Parquet."""

import functools
import json
from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from zoo.core.console import echo
from zoo.core.errors import UserError, missing_file
from zoo.data.columns.arrow import check_unique_headings, is_date
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.missing_marks import MISSING_MARKS, marks_to_null
from zoo.data.formats.cell_options import DEFAULT_CELLS, CellOptions
from zoo.data.formats.delimited import parse_delimited, raw_cell, read_text
from zoo.data.formats.dialect import detect_dialect, find_text_row, no_rows
from zoo.data.formats.json_lines import JSON_FORMS, parse_json, warn_rounded
from zoo.data.formats.streaming import map_table, stream_json, stream_parquet, stream_text, validated
from zoo.data.formats.text_encoding import check_encoding, undecodable
from zoo.data.options import clean_heading
from zoo.data.sources.cache import cached
from zoo.data.sources.packed import UNPACK_ERRORS, check_unpacked_size, inner_suffix, open_unpacked, packed_suffix


def read_table(path: Path, reading: CellOptions = DEFAULT_CELLS, *, keep: Path | None = None) -> pa.Table:
    """The table of a file: Parquet, JSON lines, or text of any delimiter with headings in its first line; also packed.

    Args:
        path: of the file. It may be packed as .gz, .bz2, .xz or .zip.
        reading: how its cells are read; in Parquet and JSON, which mark what is missing, only marks beside the usual
            ones are marks.
        keep: a file of the cache, into which the table is streamed once, to be mapped; None reads it into memory.

    Raises:
        UserError: for a path that is no such file, and a file that is not a whole table.
    """
    check_path(path)
    check_encoding(reading.encoding)
    try:
        if keep is None:
            table = marks_to_null(_read(path, reading), reading.missing)
        else:
            table = map_table(cached(keep, functools.partial(_stream, path, reading)))
    except UnicodeDecodeError as error:
        raise undecodable(path, reading.encoding) from error
    except (pa.ArrowException, OSError, UnicodeError, *UNPACK_ERRORS) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error
    names = [clean_heading(name) for name in table.column_names]
    check_unique_headings(names, str(path))
    if not table.num_rows:
        raise no_rows(path, names)
    if inner_suffix(path) in JSON_FORMS:
        warn_rounded(table)
    return table.rename_columns(names).replace_schema_metadata(table.schema.metadata)


def _read(path: Path, reading: CellOptions) -> pa.Table:
    form = inner_suffix(path)
    if form == ".parquet":
        return _read_parquet(path)
    if form in JSON_FORMS:
        return parse_json(path)
    return read_text(path, reading.encoding, lambda dialect: parse_delimited(path, dialect, reading))


def _read_parquet(path: Path) -> pa.Table:
    if not packed_suffix(path):
        return validated(pa.parquet.read_table(path))
    check_unpacked_size(path)
    with open_unpacked(path) as file:
        return validated(pa.parquet.read_table(pa.BufferReader(file.read())))


def _stream(path: Path, reading: CellOptions, keep: Path) -> None:
    echo(f"{path.name} is streamed into {keep.parents[1]}, once")
    form = inner_suffix(path)
    if form == ".parquet":
        stream_parquet(path, reading, keep)
    elif form in JSON_FORMS:
        stream_json(path, reading, keep)
    else:
        read_text(path, reading.encoding, lambda dialect: stream_text(path, dialect, reading, keep))


def pandas_index(table: pa.Table) -> list[str]:
    """The columns that pandas wrote as the index of a DataFrame."""
    try:
        names = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        return []
    return [
        clean_heading(name) for name in names if isinstance(name, str) and clean_heading(name) in table.column_names
    ]


def untimed_index(table: pa.Table) -> list[str]:
    """The index columns that are no times, which would order the rows."""
    return [name for name in pandas_index(table) if not is_date(table[name].type)]


def drop_index(table: pa.Table, index: Iterable[str], named: Collection[str]) -> pa.Table:
    """A table without the columns of an index, but for those that an option names; which is said."""
    index = [name for name in index if name in table.column_names and name not in named]
    if index:
        found = ", ".join(f"'{name}'" for name in index)
        echo(f"ignored, an index of pandas: {found}; to keep one, name it in an option, such as data.schema=")
    return table.drop_columns(index)


def is_text_file(path: Path) -> bool:
    """Whether a file holds its table as text with delimiters, rather than as Parquet or JSON lines."""
    return inner_suffix(path) not in (".parquet", *JSON_FORMS)


def missing_mark_at(path: Path, reading: CellOptions, column: str, row: int) -> str | None:
    """The mark that the file has in a row where a value is missing, if it is one of the usual marks; from 0."""
    if not is_text_file(path):
        return None
    mark = raw_cell(path, detect_dialect(path, reading.encoding), column, row)
    return mark if mark in MISSING_MARKS else None


def find_row(path: Path, reading: CellOptions, name: str) -> int | None:
    """The first row, of the top ones of a text file, that has a value."""
    return find_text_row(path, reading.encoding, name) if is_text_file(path) else None


def place_in(path: Path, encoding: str | None = None) -> Place:
    """How messages name a row of a file: as a spreadsheet numbers it, where the headings are a row."""

    @functools.cache
    def first() -> int:
        return 1 + (detect_dialect(path, encoding or "latin-1").headings_row if is_text_file(path) else 0)

    return lambda row: f"row {row + first()} of {path.name}"


def check_path(path: Path) -> None:
    """Raise UserError, with the nearest name, unless `path` is a file."""
    if path.is_file():
        return
    if path.is_dir():
        raise UserError(f"a table is one file; {path} is a folder with {_files_in(path)}")
    raise missing_file(path)


def _files_in(folder: Path) -> str:
    return ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
