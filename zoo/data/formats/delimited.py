"""Tables as text with delimiters, such as CSV: of any dialect and encoding."""

import collections
import contextlib
import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import exceeds_int64, is_text, to_array
from zoo.data.columns.codes import code_columns
from zoo.data.columns.missing_marks import MISSING_CELLS, with_spaces
from zoo.data.columns.numbers import decimal_comma_to_point
from zoo.data.formats.cell_options import DEFAULT_CELLS, CellOptions
from zoo.data.formats.dialect import Dialect, detect_dialect, first_text_rows
from zoo.data.formats.text_encoding import undecodable
from zoo.data.registry import FORMATS
from zoo.data.sources.packed import BLOCK_BYTES, PROGRESS_BYTES, check_unpacked_size, open_unpacked, packed_suffix

T = TypeVar("T")


@FORMATS.register(".csv")
@FORMATS.register(".tsv")
@FORMATS.register(".txt")
def read_delimited(path: Path, cells: CellOptions) -> pa.Table:
    """Read a whole file; pyarrow infers the types of columns, except for text and codes."""
    check_unpacked_size(path)
    return parse_in_dialect(path, cells.encoding, lambda dialect: _read(path, dialect, cells))


def read_as_text(path: Path, encoding: str | None = None) -> pa.Table:
    """Read a whole file with all columns as text; no mark counts as missing."""

    def read(dialect: Dialect) -> pa.Table:
        with text_blocks(path, dialect, ()) as reader:
            table = reader.read_all()
        table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
        refuse_open_quote(path, dialect, table)
        return table

    return parse_in_dialect(path, encoding, read)


def read_first_rows(path: Path, encoding: str | None = None) -> pa.Table:
    """Read the rows in the beginning of a file; types are those of these rows alone."""
    dialect = detect_dialect(path, encoding)
    content = io.StringIO()
    csv.writer(content, delimiter=dialect.delimiter, lineterminator="\n").writerows(first_text_rows(path, dialect))
    plain = dialect._replace(encoding="utf8", skip=0)
    return with_decimal_points(parse_file(io.BytesIO(content.getvalue().encode()), plain, DEFAULT_CELLS), plain)


def parse_in_dialect(path: Path, encoding: str | None, parse: Callable[[Dialect], T]) -> T:
    """Call `parse` with the dialect of a file; again with its other encoding if it raises ArrowInvalid, as it does for
    a file that is UTF-8 only at its beginning.

    Raises:
        UserError: for a file that is no text or has no rows, and for rows of different widths.
    """
    dialect = detect_dialect(path, encoding)
    try:
        result = parse(dialect)
    except pa.ArrowInvalid:
        _refuse_ragged(path, dialect)
        dialect = detect_dialect(path, encoding, utf8=False)
        result = parse(dialect)
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
    _report_dialect(path, dialect, encoding)
    return result


def _report_dialect(path: Path, dialect: Dialect, encoding: str | None) -> None:
    if dialect.headings_row > 1:
        echo(f"{path.name}: the headings are those of row {dialect.headings_row}; what is above is left out")
    if dialect.encoding == "cp1252":
        echo(f"{path.name} is not UTF-8; read as Windows-1252; name another encoding by data.encoding=")
    if encoding and dialect.encoding in ("utf8", "utf16"):
        echo(f"{path.name} is Unicode, and read so, not as {encoding}")


def _read(path: Path, dialect: Dialect, cells: CellOptions) -> pa.Table:
    table = _parse(path, dialect, cells)
    refuse_open_quote(path, dialect, table)
    long = [name for name in table.column_names if exceeds_int64(table[name])]
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    for name in _codes(path, dialect, cells, [*whole, *long], long):
        text = _parse(path, dialect, cells._replace(text=[name]), [name])
        table = table.set_column(table.column_names.index(name), name, text[name])
    return with_decimal_points(table, dialect)


def _parse(path: Path, dialect: Dialect, cells: CellOptions, columns: Sequence[str] = ()) -> pa.Table:
    with _open_for_arrow(path) as file:
        return parse_file(file, dialect, cells, columns)


@contextlib.contextmanager
def _open_for_arrow(path: Path) -> Iterator[Any]:
    """Open a file and unpack it; one that is neither packed nor large by Arrow, not Python.

    Arrow's threads may release a Python file only while the interpreter exits, which aborts a process that ends soon
    after the file was read, such as one with a mistake in its command: 4 of 100 (pyarrow 26).
    """
    if packed_suffix(path) or path.stat().st_size >= PROGRESS_BYTES:
        with open_unpacked(path) as file:
            yield file
    else:
        with pa.OSFile(os.fsencode(path), "rb") as file:
            yield file


def parse_file(file: IO[bytes], dialect: Dialect, cells: CellOptions, columns: Sequence[str] = ()) -> pa.Table:
    """Parse an unpacked file, all its columns or those named; ArrowInvalid if it is not a table of the dialect."""
    options = _options(dialect, [*MISSING_CELLS, *cells.missing])
    convert = options[-1]
    convert.column_types = dict.fromkeys((name for name in dialect.headings if name in cells.text), pa.string())
    convert.include_columns = columns
    convert.strings_can_be_null = not cells.not_missing
    table = pa.csv.read_csv(file, *options)
    if any(map(_holds_bytes, table.schema.types)):
        raise pa.ArrowInvalid(f"not {dialect.encoding}")
    return _text_marks_to_null(table, cells) if cells.not_missing else table


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _text_marks_to_null(table: pa.Table, cells: CellOptions) -> pa.Table:
    """Replace marks of missing values by null in columns of text."""
    marks = pa.array(with_spaces(cells.marks()))
    return _convert_text(table, lambda array: pc.if_else(pc.is_in(array, marks), None, array))


def with_decimal_points(table: pa.Table, dialect: Dialect) -> pa.Table:
    """Write the numbers in columns of text with decimal points: those that pyarrow did not parse, as they have dots
    between thousands or stand among other text."""
    return table if dialect.decimal_point == "." else _convert_text(table, decimal_comma_to_point)


def _convert_text(table: pa.Table, convert: Callable[[pa.Array], pa.Array]) -> pa.Table:
    """Convert each distinct value of each column of text once."""

    def converted(array: pa.Array) -> pa.Array:
        if not is_text(array.type):
            return array
        encoded = array.dictionary_encode()
        return convert(encoded.dictionary).take(encoded.indices)

    return pa.table({name: converted(to_array(table[name])) for name in table.column_names})


# -- codes: whole numbers that lose zeros or digits as numbers


def _codes(path: Path, dialect: Dialect, cells: CellOptions, columns: Sequence[str], long: Sequence[str]) -> list[str]:
    """Find the columns of codes among `columns` of numbers; those in `long` exceed 64 bits."""
    if not columns or not (long or _may_have_leading_zeros(path, dialect)):
        return []
    with text_blocks(path, dialect, [*MISSING_CELLS, *cells.missing], columns=columns) as reader:
        return code_columns((pa.Table.from_batches([block]) for block in reader), long)


def _may_have_leading_zeros(path: Path, dialect: Dialect) -> bool:
    """Look quickly for a value that begins with 0 and a digit in the bytes of a file."""
    if dialect.encoding not in ("utf8", "cp1252"):
        return True
    pattern, end = re.compile(rb'[\s"' + re.escape(dialect.delimiter.encode()) + b"]0[0-9]"), b""
    with open_unpacked(path) as file:
        while block := file.read(BLOCK_BYTES):
            if pattern.search(end + block):
                return True
            end = block[-2:]
    return False


# -- columns as text


@contextlib.contextmanager
def text_blocks(
    path: Path,
    dialect: Dialect,
    missing: Sequence[str] = MISSING_CELLS,
    *,
    columns: Sequence[str] = (),
    on_ragged: Callable[[Any], str] | None = None,
    block_size: int = BLOCK_BYTES,
) -> Iterator[Any]:
    """Open a file as an Arrow reader of blocks, all columns as bytes.

    They come as dictionaries, since Arrow reserves the memory of a whole block for each column of plain bytes.
    """
    read, parse, convert = _options(dialect, missing, on_ragged, block_size)
    convert.column_types = dict.fromkeys(dialect.headings, pa.dictionary(pa.int32(), pa.binary()))
    convert.include_columns = columns
    with _open_for_arrow(path) as file, pa.csv.open_csv(file, read, parse, convert) as reader:
        yield reader


def raw_cell(path: Path, dialect: Dialect, column: str, row: int) -> str:
    """Read one value as the file writes it; rows count from 0."""
    with text_blocks(path, dialect, (), columns=[column]) as reader:
        for block in reader:
            if row < len(block):
                return to_array(block.column(0).slice(row, 1)).cast(pa.string())[0].as_py().strip()
            row -= len(block)
    return ""


def _options(
    dialect: Dialect,
    missing: Sequence[str],
    on_ragged: Callable[[Any], str] | None = None,
    block_size: int = BLOCK_BYTES,
) -> tuple[pa.csv.ReadOptions, pa.csv.ParseOptions, pa.csv.ConvertOptions]:
    return (
        pa.csv.ReadOptions(
            use_threads=on_ragged is None,  # only a single thread counts rows
            block_size=block_size,
            encoding=dialect.encoding,
            skip_rows=dialect.skip,
            column_names=dialect.headings,
        ),
        pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=on_ragged),
        pa.csv.ConvertOptions(
            null_values=with_spaces(missing),
            strings_can_be_null=True,
            auto_dict_encode=True,
            decimal_point=dialect.decimal_point,
        ),
    )


# -- damaged files


def _refuse_ragged(path: Path, dialect: Dialect) -> None:
    """Raise UserError for rows that are wider or narrower than the headings, naming the first three."""
    ragged: list[str] = []

    def collect(row: Any) -> str:
        number = row.number - dialect.skip + dialect.headings_row
        ragged.append(f"row {number} has {row.actual_columns} ({' '.join(row.text[:40].split())})")
        return "error" if len(ragged) == 3 else "skip"

    with contextlib.suppress(pa.ArrowInvalid), text_blocks(path, dialect, on_ragged=collect) as reader:
        collections.deque(reader, maxlen=0)
    if ragged:
        first = dialect.delimiter.join(dialect.headings)
        line = "its first line" if dialect.headings_row == 1 else f"row {dialect.headings_row}"
        raise UserError(f"each row of {path} has {len(dialect.headings)} values, as the headings in {line} "
                        f"({first:.40}), separated by {dialect.delimiter!r}; {', '.join(ragged)}\n"
                        "delete rows that do not belong to the table, give each column a heading, and quote values "
                        "that hold the delimiter")  # fmt: skip


def refuse_open_quote(path: Path, dialect: Dialect, table: pa.Table) -> None:
    """Raise UserError if the last value of a table holds rows, since a quote is never closed."""
    last = table.slice(max(0, len(table) - 1)).to_pylist()
    value = str(list(last[0].values())[-1]) if last else ""
    if any(line.count(dialect.delimiter) >= table.num_columns - 1 > 0 for line in value.splitlines()[1:]):
        raise UserError(f"a quoted value of {path} is never closed; it begins {value[:40].splitlines()[0]!r} in row "
                        f"{len(table) + dialect.headings_row}: double or remove the quote before it")  # fmt: skip
