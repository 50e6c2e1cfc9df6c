"""Tables larger than memory as text with delimiters: the column types that all blocks agree on, as pyarrow infers them.

The file is read once, as text, into a temporary Arrow file; the types are inferred from that block by block.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv

from zoo.data.columns.codes import code_columns
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.delimited import (
    parse_in_dialect,
    refuse_open_quote,
    text_blocks,
    with_decimal_points,
)
from zoo.data.formats.dialect import Dialect
from zoo.data.formats.table_cache import map_table
from zoo.data.registry import BLOCKS
from zoo.data.sources.packed import BLOCK_BYTES

SMALL_BLOCK = 1 << 20  # bytes of text parsed at once, which take less memory; longer than most rows
Parse = Callable[..., pa.Table]
TYPES = (
    pa.null(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    *(pa.timestamp(unit, zone) for unit in ("s", "ns") for zone in (None, "UTC")),
    pa.float64(),
    pa.string(),
)  # of columns, in the order in which pyarrow tries them


@BLOCKS.register(".csv")
@BLOCKS.register(".tsv")
@BLOCKS.register(".txt")
def read_delimited_blocks(path: Path, cells: CellOptions, folder: Path) -> Iterator[pa.Table]:
    """Read a file block by block, each column of the type that pyarrow infers from all its values."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        dialect = parse_in_dialect(path, cells.encoding, lambda dialect: _write_as_text(file, path, dialect, cells))
        text = map_table(Path(file.name))
        refuse_open_quote(path, dialect, text)
        parse = partial(_parse, dialect, cells)
        schema = _infer_schema(text, parse, cells)
        yield schema.empty_table()
        for block in _blocks(text):
            yield with_decimal_points(_convert(block, schema, parse), dialect)


def _write_as_text(file: IO[bytes], path: Path, dialect: Dialect, cells: CellOptions) -> Dialect:
    try:
        _write_columns(file, path, dialect, cells, SMALL_BLOCK)
    except pa.ArrowInvalid:  # rows may be longer than that
        _write_columns(file, path, dialect, cells, BLOCK_BYTES)
    return dialect


def _write_columns(file: IO[bytes], path: Path, dialect: Dialect, cells: CellOptions, block_size: int) -> None:
    """Write a text file's table to an Arrow file, all columns as text."""
    file.seek(0)
    file.truncate()
    with text_blocks(path, dialect, cells.marks(), block_size=block_size) as reader:
        schema = pa.schema([(name, pa.string()) for name in reader.schema.names])
        with pa.ipc.new_file(file, schema) as writer:
            for block in _merge_blocks(pa.Table.from_batches([block]).cast(schema) for block in reader):
                writer.write_table(block)
    file.flush()


def _merge_blocks(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Merge blocks up to `BLOCK_BYTES` each, as every column of a block takes memory of its own."""
    waiting: list[pa.Table] = []
    for block in blocks:
        waiting.append(block)
        if sum(table.nbytes for table in waiting) >= BLOCK_BYTES:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _blocks(table: pa.Table) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([block]) for block in table.to_batches())


# -- types


def _infer_schema(text: pa.Table, parse: Parse, cells: CellOptions) -> pa.Schema:
    """Infer the type of each column of text: the first that all its values have; text for codes and as options say."""
    types = _infer_types(text, parse)
    long = [name for name, kind in types.items() if kind == pa.float64()]
    whole = [name for name, kind in types.items() if kind == pa.int64()]
    codes = code_columns(_blocks(text.select([*whole, *long])), long)
    types |= dict.fromkeys((*cells.text, *codes), pa.string())
    return pa.schema([(name, types[name]) for name in text.column_names])


def _infer_types(text: pa.Table, parse: Parse) -> dict[str, pa.DataType]:
    found: dict[str, set[pa.DataType]] = {name: {pa.null()} for name in text.column_names}
    for block in _blocks(text):
        undecided = [name for name, types in found.items() if pa.string() not in types]
        for field in parse(block.select(undecided)).schema if undecided else ():
            found[field.name].add(field.type)
    return {name: _common_type(types, text.select([name]), parse) for name, types in found.items()}


def _common_type(types: set[pa.DataType], column: pa.Table, parse: Parse) -> pa.DataType:
    """The first type that all values of a column have, whose blocks have `types`."""
    candidates = TYPES[max(map(TYPES.index, types)) :]
    if len(types) <= 2 or types == {pa.null(), pa.int64(), pa.float64()}:
        return candidates[0]
    return next(kind for kind in candidates if all(_parses_as(kind, block, parse) for block in _blocks(column)))


def _parses_as(kind: pa.DataType, column: pa.Table, parse: Parse) -> bool:
    try:
        parse(column, dict.fromkeys(column.column_names, kind))
    except pa.ArrowInvalid:
        return False
    return True


def _convert(text: pa.Table, schema: pa.Schema, parse: Parse) -> pa.Table:
    """Convert columns of text to the types of `schema`."""
    types = {field.name: field.type for field in schema if field.type != pa.string()}
    parsed = parse(text.select(list(types)), types) if types else text
    return pa.table({name: (parsed if name in types else text)[name] for name in schema.names})


def _parse(
    dialect: Dialect, cells: CellOptions, text: pa.Table, types: Mapping[str, pa.DataType] | None = None
) -> pa.Table:
    """Parse columns of text as pyarrow parses a CSV file, as `types` or as types that it infers."""
    file = pa.BufferOutputStream()
    pa.csv.write_csv(text, file, pa.csv.WriteOptions(include_header=False))
    content = file.getvalue()
    return pa.csv.read_csv(
        pa.BufferReader(content),
        pa.csv.ReadOptions(column_names=text.column_names, block_size=content.size),
        pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa.csv.ConvertOptions(
            column_types=types,
            null_values=["", *cells.not_missing],
            strings_can_be_null=True,
            decimal_point=dialect.decimal_point,
        ),
    )
