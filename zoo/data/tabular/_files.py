"""Files of tables, as Arrow tables: CSV of any dialect, and Parquet."""

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import lzma
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import rich.progress

from zoo.data.tabular._values import DECIMAL_COMMA, Place, check_headings, is_text, plain, with_decimal_point
from zoo.errors import UserError, no_file

UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MISSING = ("", " ", "?", "-", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "Null", "null", "None")
DELIMITERS = ",;\t|"
SAMPLE = 1 << 18  # bytes from which the dialect is told
BLOCK = 1 << 23  # bytes that are parsed at once; longer than any row
LARGE = 1 << 26  # bytes of a file from which progress is shown


class Dialect(NamedTuple):
    """How a text file holds a table."""

    encoding: str
    delimiter: str
    decimal_point: str
    headings: list[str]

    def clean_headings(self) -> list[str]:
        """Without spaces around them; those that are empty are named by their place."""
        return [heading.strip() or f"column {index}" for index, heading in enumerate(self.headings, 1)]


def read_table(path: Path, *, text: Sequence[str] = (), missing: Sequence[str] = ()) -> pa.Table:
    """The table of a file: .parquet, or text with headings in its first line and any delimiter, also packed.

    Args:
        path: of the file. A CSV may end in .gz, .bz2 or .xz.
        text: headings of columns to read as text, even where all values look like numbers or dates.
        missing: marks of missing values, beside the usual ones.

    Raises:
        UserError: for a path that is no such file, and a file that is not a whole table.
    """
    check_path(path)
    try:
        table = _read_parquet(path) if ".parquet" in path.suffixes else _read_text(path, text, [*MISSING, *missing])
    except (pa.ArrowException, OSError, EOFError, lzma.LZMAError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error
    check_headings(table.column_names, str(path))
    if not table.num_rows:
        raise _no_rows(path, table.column_names)
    return table


def _no_rows(path: Path, headings: Sequence[str]) -> UserError:
    return UserError(f"{path} has headings, but no rows: {', '.join(headings[:5])}")


def _read_parquet(path: Path) -> pa.Table:
    if path.suffix not in UNPACK:
        return pa.parquet.read_table(path)
    with _opened(path) as file:
        return pa.parquet.read_table(pa.BufferReader(file.read()))


def place_in(path: Path) -> Place:
    """How messages name a row of a file: as a spreadsheet numbers it, where the headings are row 1."""
    first = 1 if ".parquet" in path.suffixes else 2
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


@contextlib.contextmanager
def _opened(path: Path, silent: bool = False) -> Iterator[Any]:
    """The file, unpacked; on a terminal with a progress bar if it is large."""
    silent = silent or path.stat().st_size < LARGE or not sys.stdout.isatty()
    with rich.progress.open(path, "rb", description=f"reading {path.name}", disable=silent, transient=True) as file:
        unpack = UNPACK.get(path.suffix)
        yield unpack(file) if unpack else file


def _read_text(path: Path, text: Sequence[str], missing: Sequence[str]) -> pa.Table:
    dialect = _dialect(path)
    try:
        table = _parse(path, dialect, text, missing)
        if dialect.encoding == "utf8" and any(map(_holds_bytes, table.schema.types)):  # not UTF-8 after the beginning
            dialect = _dialect(path, "cp1252")
            table = _parse(path, dialect, text, missing)
    except pa.ArrowInvalid:
        _refuse_ragged(path, dialect)
        raise
    _refuse_open_quote(path, dialect, table)
    if dialect.encoding == "cp1252":
        print(f"{path.name} is not UTF-8; read as Windows-1252")
    if dialect.decimal_point == ",":
        table = pa.table({heading: _decimal_points(table[heading]) for heading in table.column_names})
    return table.rename_columns(dialect.clean_headings())


def _decimal_points(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """A column whose numbers pyarrow has not parsed, for dots between thousands or for other text among them."""
    array = plain(column)
    return with_decimal_point(array) if is_text(array.type) else column


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _parse(
    path: Path,
    dialect: Dialect,
    text: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
    on_ragged: Callable[[Any], str] | None = None,
) -> pa.Table:
    names = zip(dialect.headings, dialect.clean_headings(), strict=True)
    with _opened(path) as file:
        return pa.csv.read_csv(
            file,
            pa.csv.ReadOptions(
                use_threads=on_ragged is None,  # only a single thread knows the numbers of rows
                block_size=BLOCK,
                encoding=dialect.encoding,
            ),
            pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=on_ragged),
            pa.csv.ConvertOptions(
                column_types={heading: pa.string() for heading, clean in names if clean in text},
                null_values=[*missing, *(f" {mark}" for mark in missing)],
                strings_can_be_null=True,
                auto_dict_encode=True,
                decimal_point=dialect.decimal_point,
            ),
        )


def _refuse_ragged(path: Path, dialect: Dialect) -> None:
    """Raise UserError that names the first rows of another width than the headings, if there are any."""
    ragged: list[str] = []

    def note(row: Any) -> str:
        ragged.append(f"row {row.number} has {row.actual_columns} ({' '.join(row.text[:40].split())})")
        return "error" if len(ragged) == 3 else "skip"

    with contextlib.suppress(pa.ArrowInvalid):
        _parse(path, dialect, on_ragged=note)
    if ragged:
        first = dialect.delimiter.join(dialect.headings)
        raise UserError(f"each row of {path} has {len(dialect.headings)} values, as the headings in its first line "
                        f"({first:.40}), parted by {dialect.delimiter!r}; {', '.join(ragged)}")  # fmt: skip


def _refuse_open_quote(path: Path, dialect: Dialect, table: pa.Table) -> None:
    """Raise UserError where the last value of all holds rows: the mark of a quote that is never closed."""
    last = table.slice(max(0, len(table) - 1)).to_pylist()
    value = str(list(last[0].values())[-1]) if last else ""
    if any(line.count(dialect.delimiter) >= table.num_columns - 1 > 0 for line in value.splitlines()[1:]):
        raise UserError(f"a quoted value of {path} is never closed; it begins {value[:40].splitlines()[0]!r} in row "
                        f"{len(table) + 1}: double or remove the quote before it")  # fmt: skip


def _dialect(path: Path, fallback: str = "") -> Dialect:
    """Tell how a text file is written from its beginning."""
    with _opened(path, silent=True) as file:
        sample = file.read(SAMPLE)
    encoding, text = _decoded(sample, fallback)
    if not text.strip():
        raise UserError(f"{path} is empty; a table has headings in its first line, and rows")
    if re.search("[\x00-\x08\x0e-\x1f]", text):
        raise UserError(f"{path} is not text: a table is a .csv, .tsv, .txt or .parquet file; save it as one")
    if len(sample) == SAMPLE:
        text = text[: text.rfind("\n") + 1] or text
    delimiter = max(DELIMITERS, key=lambda candidate: _agreement(text, candidate))
    rows = _rows(text, delimiter)
    if len(rows) == 1 and len(sample) < SAMPLE:
        raise _no_rows(path, rows[0])
    dialect = Dialect(encoding, delimiter, "," if delimiter != "," and _decimal_comma(rows[1:]) else ".", rows[0])
    check_headings(dialect.clean_headings(), str(path))
    return dialect


def _decoded(sample: bytes, fallback: str) -> tuple[str, str]:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf16", sample[: len(sample) // 2 * 2].decode("utf-16", errors="ignore")
    if not fallback:
        with contextlib.suppress(UnicodeDecodeError):
            return "utf8", codecs.getincrementaldecoder("utf-8-sig")().decode(sample)
    return "cp1252", sample.decode("cp1252", errors="replace")


def _rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # a value longer than the module reads
        rows += (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)
    return rows


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    """The share of rows as wide as the headings, and that width, if the delimiter parts them at all."""
    widths = [len(row) for row in _rows(text, delimiter)]
    return (widths.count(widths[0]) / len(widths), widths[0]) if widths and widths[0] > 1 else (0.0, 0)


def _decimal_comma(rows: list[list[str]]) -> bool:
    """Whether numbers are written as 1,5 or 1.234,5 and none as 1.5."""
    values = [value.strip() for row in rows for value in row]
    with_comma = {value for value in values if re.match(DECIMAL_COMMA, value)}
    with_point = {value for value in values if re.fullmatch(r"[+-]?\d+\.\d+", value)}
    return any("," in value for value in with_comma) and with_point <= with_comma
