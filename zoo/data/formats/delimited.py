"""Tables in text: CSV of any dialect and encoding, also packed."""

import collections
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import exceeds_int64, is_text, to_array
from zoo.data.columns.missing_marks import MISSING_CELLS, with_spaces
from zoo.data.columns.numbers import LONG, ZERO_PADDED, decimal_comma_to_point
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.dialect import Dialect, detect_dialect
from zoo.data.formats.text_encoding import undecodable
from zoo.data.sources.packed import BLOCK_BYTES, check_unpacked_size, open_unpacked


def read_text(path: Path, encoding: str | None, parse: Callable[[Dialect], pa.Table]) -> pa.Table:
    """What `parse` makes of a file in its dialect; it raises ArrowInvalid where the file is not UTF-8.

    Raises:
        UserError: for a file that is no text, has no rows or an open quote, or whose rows differ in width.
    """
    dialect = detect_dialect(path, encoding)
    try:
        table = parse(dialect)
    except pa.ArrowInvalid:
        _refuse_ragged(path, dialect)
        dialect = detect_dialect(path, encoding, utf8=False)  # not UTF-8 after the beginning
        table = parse(dialect)
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
    if dialect.headings_row > 1:
        echo(f"{path.name}: the headings are those of row {dialect.headings_row}; what is above is left out")
    if dialect.encoding == "cp1252":
        echo(f"{path.name} is not UTF-8; read as Windows-1252; name another encoding by data.encoding=")
    if encoding and dialect.encoding in ("utf8", "utf16"):
        echo(f"{path.name} is Unicode, and read so, not as {encoding}")
    return table


def parse_delimited(path: Path, dialect: Dialect, reading: CellOptions) -> pa.Table:
    """The table of a file; pyarrow tells the types of its columns, but for those of text and of codes."""
    check_unpacked_size(path)
    table = _parsed(path, dialect, reading)
    refuse_open_quote(path, dialect, table)
    beyond = [name for name in table.column_names if exceeds_int64(table[name])]
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    for name in _codes(path, dialect, reading, [*whole, *beyond], beyond):
        text = _parsed(path, dialect, reading._replace(text=[name]), [name])
        table = table.set_column(table.column_names.index(name), name, text[name])
    return with_decimal_points(table, dialect)


def read_as_text(path: Path, encoding: str | None = None) -> pa.Table:
    """The table of a text file, all its columns as text, with no marks of missing values."""

    def parse(dialect: Dialect) -> pa.Table:
        with text_blocks(path, dialect, ()) as reader:
            table = reader.read_all()
        table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
        refuse_open_quote(path, dialect, table)
        return table

    return read_text(path, encoding, parse)


def _parsed(path: Path, dialect: Dialect, reading: CellOptions, columns: Sequence[str] = ()) -> pa.Table:
    options = _options(dialect, [*MISSING_CELLS, *reading.missing])
    convert = options[-1]
    convert.column_types = dict.fromkeys((name for name in dialect.headings if name in reading.text), pa.string())
    convert.include_columns = columns
    convert.strings_can_be_null = not reading.not_missing
    with open_unpacked(path) as file:
        table = pa.csv.read_csv(file, *options)
    if any(map(_holds_bytes, table.schema.types)):
        raise pa.ArrowInvalid(f"not {dialect.encoding}")
    return _without_marks(table, reading) if reading.not_missing else table


def _without_marks(table: pa.Table, reading: CellOptions) -> pa.Table:
    """A table whose text is null where it is a mark of missing values."""
    marks = pa.array(with_spaces(reading.marks()))
    return _each_text(table, lambda array: pc.if_else(pc.is_in(array, marks), None, array))


def with_decimal_points(table: pa.Table, dialect: Dialect) -> pa.Table:
    """A table whose text has decimal points where it holds numbers with commas: those that pyarrow has not parsed, for
    dots between thousands or for other text among them."""
    return table if dialect.decimal_point == "." else _each_text(table, decimal_comma_to_point)


def _each_text(table: pa.Table, convert: Callable[[pa.Array], pa.Array]) -> pa.Table:
    columns = {name: to_array(table[name]) for name in table.column_names}
    return pa.table({name: _of_distinct(array, convert) for name, array in columns.items()})


def _of_distinct(array: pa.Array, convert: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Text, each distinct value of which is converted once; other columns as they are."""
    if not is_text(array.type):
        return array
    encoded = array.dictionary_encode()
    return convert(encoded.dictionary).take(encoded.indices)


def _codes(
    path: Path, dialect: Dialect, reading: CellOptions, columns: Sequence[str], beyond: Sequence[str]
) -> list[str]:
    """The columns of numbers, of those named, that a file writes as codes."""
    if not columns or not (beyond or _may_have_leading_zeros(path, dialect)):
        return []
    with text_blocks(path, dialect, [*MISSING_CELLS, *reading.missing], columns=columns) as reader:
        return code_columns((pa.Table.from_batches([block]) for block in reader), beyond)


def _may_have_leading_zeros(path: Path, dialect: Dialect) -> bool:
    """Whether a value of the file begins with 0 and a digit, as a quick look at its bytes tells."""
    if dialect.encoding not in ("utf8", "cp1252"):
        return True
    begins, end = re.compile(rb'[\s"' + re.escape(dialect.delimiter.encode()) + b"]0[0-9]"), b""
    with open_unpacked(path) as file:
        while block := file.read(BLOCK_BYTES):
            if begins.search(end + block):
                return True
            end = block[-2:]
    return False


def code_columns(blocks: Iterable[pa.Table], beyond: Sequence[str]) -> list[str]:
    """The columns of whole numbers as text that are codes: some have leading zeros, or, in those that may be `beyond`
    64 bits, as many digits."""
    codes: set[str] = set()
    others: set[str] = set()
    for block in blocks:
        for name in set(block.column_names) - others:
            values = to_array(pc.unique(to_array(block[name]))).cast(pa.string())
            values = pc.utf8_trim_whitespace(values.filter(pc.invert(pc.is_in(values, pa.array(MISSING_CELLS)))))
            if pc.any(pc.match_substring_regex(values, LONG if name in beyond else ZERO_PADDED)).as_py():
                codes.add(name)
            if pc.any(pc.match_substring_regex(values, "[^0-9+-]")).as_py():
                others.add(name)
    return sorted(codes - others)


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind.value_type if pa.types.is_dictionary(kind) else kind)


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
    """The rows of a file block by block, as an Arrow reader, all columns as bytes: as dictionaries, since for each
    other such column Arrow reserves the memory of a whole block."""
    read, parse, convert = _options(dialect, missing, on_ragged, block_size)
    convert.column_types = dict.fromkeys(dialect.headings, pa.dictionary(pa.int32(), pa.binary()))
    convert.include_columns = columns
    with open_unpacked(path) as file, pa.csv.open_csv(file, read, parse, convert) as reader:
        yield reader


def raw_cell(path: Path, dialect: Dialect, column: str, row: int) -> str:
    """One value as the file writes it; rows count from 0."""
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
            use_threads=on_ragged is None,  # only a single thread knows the numbers of rows
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


def _refuse_ragged(path: Path, dialect: Dialect) -> None:
    """Raise UserError that names the first rows of another width than the headings, if there are any."""
    ragged: list[str] = []

    def note(row: Any) -> str:
        number = row.number - dialect.skip + dialect.headings_row
        ragged.append(f"row {number} has {row.actual_columns} ({' '.join(row.text[:40].split())})")
        return "error" if len(ragged) == 3 else "skip"

    with contextlib.suppress(pa.ArrowInvalid), text_blocks(path, dialect, on_ragged=note) as reader:
        collections.deque(reader, maxlen=0)
    if ragged:
        first = dialect.delimiter.join(dialect.headings)
        line = "its first line" if dialect.headings_row == 1 else f"row {dialect.headings_row}"
        raise UserError(f"each row of {path} has {len(dialect.headings)} values, as the headings in {line} "
                        f"({first:.40}), parted by {dialect.delimiter!r}; {', '.join(ragged)}\n"
                        "delete rows that are none of the table, give each column a heading, and quote values that "
                        "hold the delimiter")  # fmt: skip


def refuse_open_quote(path: Path, dialect: Dialect, table: pa.Table) -> None:
    """Raise UserError where the last value of all holds rows: the mark of a quote that is never closed."""
    last = table.slice(max(0, len(table) - 1)).to_pylist()
    value = str(list(last[0].values())[-1]) if last else ""
    if any(line.count(dialect.delimiter) >= table.num_columns - 1 > 0 for line in value.splitlines()[1:]):
        raise UserError(f"a quoted value of {path} is never closed; it begins {value[:40].splitlines()[0]!r} in row "
                        f"{len(table) + dialect.headings_row}: double or remove the quote before it")  # fmt: skip
