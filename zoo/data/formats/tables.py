"""Files of tables, as Arrow tables: CSV of any dialect, JSON lines, and Parquet."""

import functools
import json
from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from zoo.core.console import echo
from zoo.core.errors import UserError, missing_file
from zoo.data.columns.values import Place, check_headings, is_date, without_marks
from zoo.data.formats.delimited import parse_whole, raw_cell, read_text
from zoo.data.formats.dialect import (
    MARKS,
    USUAL,
    Reading,
    check_encoding,
    no_rows,
    row_of_text_with,
    tell_dialect,
    undecodable,
)
from zoo.data.formats.json_lines import JSON_FORMS, parse_json, say_rounded
from zoo.data.formats.packed import FAILURES, check_unpacked, opened, packing, table_form
from zoo.data.options import heading
from zoo.data.sources.cache import cached
from zoo.data.tables._mapped import mapped, sound, stream_json, stream_parquet, stream_text


def read_table(path: Path, reading: Reading = USUAL, *, keep: Path | None = None) -> pa.Table:
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
            table = without_marks(_read(path, reading), reading.missing)
        else:
            table = mapped(cached(keep, functools.partial(_stream, path, reading)))
    except UnicodeDecodeError as error:
        raise undecodable(path, reading.encoding) from error
    except (pa.ArrowException, OSError, UnicodeError, *FAILURES) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error
    names = [heading(name) for name in table.column_names]
    check_headings(names, str(path))
    if not table.num_rows:
        raise no_rows(path, names)
    if table_form(path) in JSON_FORMS:
        say_rounded(table)
    return table.rename_columns(names).replace_schema_metadata(table.schema.metadata)


def _read(path: Path, reading: Reading) -> pa.Table:
    form = table_form(path)
    if form == ".parquet":
        return _read_parquet(path)
    if form in JSON_FORMS:
        return parse_json(path)
    return read_text(path, reading.encoding, lambda dialect: parse_whole(path, dialect, reading))


def _read_parquet(path: Path) -> pa.Table:
    if not packing(path):
        return sound(pa.parquet.read_table(path))
    check_unpacked(path)
    with opened(path) as file:
        return sound(pa.parquet.read_table(pa.BufferReader(file.read())))


def _stream(path: Path, reading: Reading, keep: Path) -> None:
    echo(f"{path.name} is streamed into {keep.parents[1]}, once")
    form = table_form(path)
    if form == ".parquet":
        stream_parquet(path, reading, keep)
    elif form in JSON_FORMS:
        stream_json(path, reading, keep)
    else:
        read_text(path, reading.encoding, lambda dialect: stream_text(path, dialect, reading, keep))


def index_columns(table: pa.Table) -> list[str]:
    """The columns that pandas wrote as the index of a DataFrame."""
    try:
        names = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        return []
    return [heading(name) for name in names if isinstance(name, str) and heading(name) in table.column_names]


def table_index(table: pa.Table) -> list[str]:
    """The index columns that are no times, which would order the rows."""
    return [name for name in index_columns(table) if not is_date(table[name].type)]


def without_index(table: pa.Table, index: Iterable[str], named: Collection[str]) -> pa.Table:
    """A table without the columns of an index, but for those that an option names; which is said."""
    index = [name for name in index if name in table.column_names and name not in named]
    if index:
        found = ", ".join(f"'{name}'" for name in index)
        echo(f"ignored, an index of pandas: {found}; to keep one, name it in an option, such as data.schema=")
    return table.drop_columns(index)


def is_text_file(path: Path) -> bool:
    """Whether a file holds its table as text with delimiters, rather than as Parquet or JSON lines."""
    return table_form(path) not in (".parquet", *JSON_FORMS)


def mark_at(path: Path, reading: Reading, column: str, row: int) -> str | None:
    """The mark that the file has in a row where a value is missing, if it is one of the usual marks; from 0."""
    if not is_text_file(path):
        return None
    mark = raw_cell(path, tell_dialect(path, reading.encoding), column, row)
    return mark if mark in MARKS else None


def row_with(path: Path, reading: Reading, name: str) -> int | None:
    """The first row, of the top ones of a text file, that has a value."""
    return row_of_text_with(path, reading.encoding, name) if is_text_file(path) else None


def place_in(path: Path, encoding: str | None = None) -> Place:
    """How messages name a row of a file: as a spreadsheet numbers it, where the headings are a row."""

    @functools.cache
    def first() -> int:
        return 1 + (tell_dialect(path, encoding or "latin-1").headings_row if is_text_file(path) else 0)

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
