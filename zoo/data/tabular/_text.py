"""Tables in text: CSV of any dialect and encoding, also packed."""

import bz2
import codecs
import collections
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
import rich.markup
import rich.progress

from zoo.data.stored import SHARE
from zoo.data.tabular._values import DECIMAL_COMMA, check_headings, is_text, plain, with_decimal_point
from zoo.errors import UserError
from zoo.system import free_memory
from zoo.terminal import print, visible

UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MISSING = ("", " ", "?", "-", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "Null", "null", "None")
DELIMITERS = ",;\t|"
SAMPLE = 1 << 18  # bytes from which the dialect is told
BLOCK = 1 << 23  # bytes that are parsed at once; longer than any row
SMALL_BLOCK = 1 << 20  # bytes that are parsed at once, and held, where a file is streamed; longer than most rows
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


def read_text(path: Path, parse: Callable[[Dialect], pa.Table]) -> pa.Table:
    """What `parse` makes of a file in its dialect; it raises ArrowInvalid where the file is not UTF-8.

    Raises:
        UserError: for a file that is no text, has no rows or an open quote, or whose rows differ in width.
    """
    dialect = _dialect(path)
    try:
        table = parse(dialect)
    except pa.ArrowInvalid:
        _refuse_ragged(path, dialect)
        dialect = _dialect(path, "cp1252")  # not UTF-8 after the beginning
        table = parse(dialect)
    if dialect.encoding == "cp1252":
        print(f"{path.name} is not UTF-8; read as Windows-1252")
    return table


def parse_whole(path: Path, dialect: Dialect, text: Sequence[str], missing: Sequence[str]) -> pa.Table:
    """The table of a file; pyarrow tells the types of its columns, but for those of `text`."""
    check_unpacked(path)
    with opened(path) as file:
        table = pa.csv.read_csv(file, *_options(dialect, text, missing))
    if any(map(_holds_bytes, table.schema.types)):
        raise pa.ArrowInvalid(f"not {dialect.encoding}")
    refuse_open_quote(path, dialect, table)
    if dialect.decimal_point == ",":
        table = decimal_points(table)
    return table.rename_columns(dialect.clean_headings())


def decimal_points(table: pa.Table) -> pa.Table:
    """A table whose text has decimal points where it holds numbers: those that pyarrow has not parsed, for dots between
    thousands or for other text among them."""
    columns = {name: plain(table[name]) for name in table.column_names}
    return pa.table(
        {name: with_decimal_point(array) if is_text(array.type) else array for name, array in columns.items()}
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind.value_type if pa.types.is_dictionary(kind) else kind)


@contextlib.contextmanager
def text_blocks(path: Path, dialect: Dialect, **options: Any) -> Iterator[Any]:
    """The rows of a file block by block, as an Arrow reader, all columns as bytes: as dictionaries, since for each
    other such column Arrow reserves the memory of a whole block."""
    read, parse, convert = _options(dialect, **options)
    convert.column_types = dict.fromkeys(dialect.headings, pa.dictionary(pa.int32(), pa.binary()))
    with opened(path) as file, pa.csv.open_csv(file, read, parse, convert) as reader:
        yield reader


def _options(
    dialect: Dialect,
    text: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
    on_ragged: Callable[[Any], str] | None = None,
    block_size: int = BLOCK,
) -> tuple[pa.csv.ReadOptions, pa.csv.ParseOptions, pa.csv.ConvertOptions]:
    names = zip(dialect.headings, dialect.clean_headings(), strict=True)
    return (
        pa.csv.ReadOptions(
            use_threads=on_ragged is None,  # only a single thread knows the numbers of rows
            block_size=block_size,
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

    with contextlib.suppress(pa.ArrowInvalid), text_blocks(path, dialect, on_ragged=note) as reader:
        collections.deque(reader, maxlen=0)
    if ragged:
        first = dialect.delimiter.join(dialect.headings)
        raise UserError(f"each row of {path} has {len(dialect.headings)} values, as the headings in its first line "
                        f"({first:.40}), parted by {dialect.delimiter!r}; {', '.join(ragged)}")  # fmt: skip


def refuse_open_quote(path: Path, dialect: Dialect, table: pa.Table) -> None:
    """Raise UserError where the last value of all holds rows: the mark of a quote that is never closed."""
    last = table.slice(max(0, len(table) - 1)).to_pylist()
    value = str(list(last[0].values())[-1]) if last else ""
    if any(line.count(dialect.delimiter) >= table.num_columns - 1 > 0 for line in value.splitlines()[1:]):
        raise UserError(f"a quoted value of {path} is never closed; it begins {value[:40].splitlines()[0]!r} in row "
                        f"{len(table) + 1}: double or remove the quote before it")  # fmt: skip


@contextlib.contextmanager
def opened(path: Path, silent: bool = False) -> Iterator[Any]:
    """The file, unpacked; on a terminal with a progress bar if it is large."""
    silent = silent or path.stat().st_size < LARGE or not sys.stdout.isatty()
    told = rich.markup.escape(visible(f"reading {path.name}"))
    with rich.progress.open(path, "rb", description=told, disable=silent, transient=True) as file:
        unpack = UNPACK.get(path.suffix)
        yield unpack(file) if unpack else file


def check_unpacked(path: Path) -> None:
    """Raise UserError where a packed file unpacks to more than fits in memory as a table, which no header tells."""
    most = free_memory() // SHARE if path.suffix in UNPACK else None
    with opened(path) as file:
        while most is not None and (chunk := file.read(BLOCK)):
            most -= len(chunk)
            if most < 0:
                raise UserError(f"{path} unpacks to more than may be held in memory; unpack it first")


def no_rows(path: Path, headings: Sequence[str]) -> UserError:
    return UserError(f"{path} has headings, but no rows: {', '.join(headings[:5])}")


def _dialect(path: Path, fallback: str = "") -> Dialect:
    """Tell how a text file is written from its beginning."""
    with opened(path, silent=True) as file:
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
    if not rows:
        raise UserError(f"{path} has no headings: its first line is longer than {csv.field_size_limit():,} characters, "
                        "or a quote in it is never closed")  # fmt: skip
    if len(rows) == 1 and len(sample) < SAMPLE:
        raise no_rows(path, rows[0])
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
    if any(re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+[.,]\d+", value) for value in values):  # 1,234,567 or 1,234.5
        return False
    return any("," in value for value in with_comma) and with_point <= with_comma
