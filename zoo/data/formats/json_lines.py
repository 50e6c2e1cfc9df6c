"""Tables as JSON lines: an object for each row, in a line of its own, also packed."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import exceeds_int64
from zoo.data.options import clean_heading
from zoo.data.sources.packed import BLOCK_BYTES, check_unpacked_size, open_unpacked

JSON_FORMS = (".jsonl", ".ndjson", ".json")


def parse_json(path: Path) -> pa.Table:
    """The table of a file; a row may lack entries."""
    check_unpacked_size(path)
    return pa.concat_tables(_parsed(path), promote_options="permissive")


def json_schema(path: Path) -> pa.Schema:
    """The columns of a file, of types that hold all their values."""
    return pa.unify_schemas([block.schema for block in _parsed(path)], promote_options="permissive")


def json_blocks(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a file block by block, of types that hold those of all blocks."""
    for block in _parsed(path):
        yield pa.concat_tables([schema.empty_table(), block], promote_options="permissive")


def warn_rounded(table: pa.Table) -> None:
    """Say which columns hold whole numbers that have lost digits, being beyond 64 bits."""
    rounded = [name for name in table.column_names if exceeds_int64(table[name])]
    if rounded:
        echo(f"numbers beyond 64 bits are rounded: {', '.join(rounded)}; write ids in quotes")


def _parsed(path: Path) -> Iterator[pa.Table]:
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
