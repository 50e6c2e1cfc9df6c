"""Files of tables, as Arrow tables: CSV of any dialect, and Parquet."""

import functools
import lzma
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from zoo.data.cache import kept
from zoo.data.tabular._mapped import mapped, sound, stream_parquet, stream_text
from zoo.data.tabular._text import MISSING, UNPACK, check_unpacked, no_rows, opened, parse_whole, read_text
from zoo.data.tabular._values import Place, check_headings
from zoo.errors import UserError, no_file
from zoo.terminal import print


def read_table(
    path: Path, *, text: Sequence[str] = (), missing: Sequence[str] = (), keep: Path | None = None
) -> pa.Table:
    """The table of a file: .parquet, or text with headings in its first line and any delimiter, also packed.

    Args:
        path: of the file. A CSV may end in .gz, .bz2 or .xz.
        text: headings of columns to read as text, even where all values look like numbers or dates.
        missing: marks of missing values, beside the usual ones.
        keep: a file of the cache, into which the table is streamed once, to be mapped; None reads it into memory.

    Raises:
        UserError: for a path that is no such file, and a file that is not a whole table.
    """
    check_path(path)
    marks = [*MISSING, *missing]
    try:
        if keep is None:
            table = _read_parquet(path) if _is_parquet(path) else _read_text(path, text, marks)
        else:
            table = mapped(kept(keep, functools.partial(_stream, path, text, marks)))
        names = table.column_names
    except (pa.ArrowException, OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error
    check_headings(names, str(path))
    if not table.num_rows:
        raise no_rows(path, names)
    return table


def _is_parquet(path: Path) -> bool:
    return ".parquet" in path.suffixes


def _read_parquet(path: Path) -> pa.Table:
    if path.suffix not in UNPACK:
        return sound(pa.parquet.read_table(path))
    check_unpacked(path)
    with opened(path) as file:
        return sound(pa.parquet.read_table(pa.BufferReader(file.read())))


def _read_text(path: Path, text: Sequence[str], missing: Sequence[str]) -> pa.Table:
    return read_text(path, lambda dialect: parse_whole(path, dialect, text, missing))


def _stream(path: Path, text: Sequence[str], missing: Sequence[str], keep: Path) -> None:
    print(f"{path.name} is streamed into {keep.parents[1]}, once")
    if _is_parquet(path):
        stream_parquet(path, keep)
    else:
        read_text(path, lambda dialect: stream_text(path, dialect, text, missing, keep))


def place_in(path: Path) -> Place:
    """How messages name a row of a file: as a spreadsheet numbers it, where the headings are row 1."""
    first = 1 if _is_parquet(path) else 2
    return lambda row: f"row {row + first} of {path.name}"


def check_path(path: Path) -> None:
    """Raise UserError, with the nearest name, unless `path` is a file."""
    if path.is_file():
        return
    if path.is_dir():
        raise UserError(f"a table is one file; {path} is a folder with {_files_in(path)}")
    raise no_file(path)


def _files_in(folder: Path) -> str:
    return ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
