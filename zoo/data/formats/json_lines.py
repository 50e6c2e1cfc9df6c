"""Tables as JSON lines: one object for each row, on a line of its own."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import exceeds_int64
from zoo.data.formats.cell_options import CellOptions
from zoo.data.options import clean_heading
from zoo.data.registry import BLOCKS, FORMATS
from zoo.data.sources.packed import BLOCK_BYTES, check_unpacked_size, open_unpacked


@FORMATS.register(".jsonl")
@FORMATS.register(".ndjson")
@FORMATS.register(".json")
def read_json(path: Path, _cells: CellOptions) -> pa.Table:
    """Read a whole file; rows may lack entries."""
    check_unpacked_size(path)
    table = pa.concat_tables(_parse_blocks(path), promote_options="permissive")
    _warn_rounded(_rounded_columns(table))
    return table


@BLOCKS.register(".jsonl")
@BLOCKS.register(".ndjson")
@BLOCKS.register(".json")
def read_json_blocks(path: Path, _cells: CellOptions, _folder: Path) -> Iterator[pa.Table]:
    """Read a file block by block, with column types that hold the values of all blocks."""
    schema = pa.unify_schemas([block.schema for block in _parse_blocks(path)], promote_options="permissive")
    rounded: set[str] = set()
    for block in _parse_blocks(path):
        table = pa.concat_tables([schema.empty_table(), block], promote_options="permissive")
        rounded.update(_rounded_columns(table))
        yield table
    _warn_rounded(name for name in schema.names if name in rounded)


def _parse_blocks(path: Path) -> Iterator[pa.Table]:
    with open_unpacked(path) as file:
        while lines := file.read(BLOCK_BYTES) + file.readline():
            if lines.strip():
                yield _parse(path, lines)


def _parse(path: Path, lines: bytes) -> pa.Table:
    try:
        table = pa.json.read_json(pa.BufferReader(lines), pa.json.ReadOptions(block_size=len(lines) + 1))
    except pa.ArrowInvalid as error:
        raise UserError(f"a table in JSON has an object of values in each line, such as {{\"size\": 3.5}}; {path} has "
                        f"not: {str(error).removeprefix('JSON parse error: ')}\nin pandas: frame.to_json(path, "
                        "orient='records', lines=True); the values of a column are of one type") from error  # fmt: skip
    return table.rename_columns([clean_heading(name) for name in table.column_names])


def _rounded_columns(table: pa.Table) -> list[str]:
    """Columns with whole numbers that do not fit in 64 bits and were rounded to floats."""
    return [name for name in table.column_names if exceeds_int64(table[name])]


def _warn_rounded(columns: Iterable[str]) -> None:
    if names := ", ".join(columns):
        echo(f"numbers beyond 64 bits are rounded: {names}; write ids in quotes")
