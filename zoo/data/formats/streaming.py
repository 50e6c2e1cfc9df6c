"""Tables larger than memory: streamed once into a file of Arrow columns, and once into one of rows, both mapped."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from zoo.core.atomic_files import write_atomically
from zoo.core.errors import UserError
from zoo.data.columns.missing_marks import marks_to_null
from zoo.data.formats.cell_options import DEFAULT_CELLS, CellOptions
from zoo.data.formats.delimited import code_columns, refuse_open_quote, text_blocks, with_decimal_points
from zoo.data.formats.dialect import Dialect
from zoo.data.formats.json_lines import json_blocks, json_schema
from zoo.data.memory_limits import is_large
from zoo.data.sources.cache import cache_folder
from zoo.data.sources.packed import BLOCK_BYTES, open_unpacked, packed_suffix

VERSION = 3  # of what is kept; a new one makes every file anew
SMALL_BLOCK = 1 << 20  # bytes of text that are parsed at once, and held; longer than most rows
BLOCK_VALUES = 1 << 20  # values of a block of rows
PACKED = 5  # how many times larger a packed file becomes
Parse = Callable[..., pa.Table]
KINDS = (
    pa.null(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    *(pa.timestamp(unit, zone) for unit in ("s", "ns") for zone in (None, "UTC")),
    pa.float64(),
    pa.string(),
)  # the types of columns in the order in which pyarrow tries them


def cache_files(paths: Sequence[Path], cache: bool | str, reading: CellOptions) -> list[Path] | list[None]:
    """The file of the cache for each table that is streamed; None for tables that are read into memory.

    Args:
        paths: of the tables, which are read together.
        cache: stream them; "auto" does where they are large.
        reading: as in `read_table`.
    """
    if cache not in ("auto", True, False):
        raise UserError(f"data.cache is one of auto, true, false; got {cache}")
    there = all(path.is_file() for path in paths)
    if not there or cache is False or (cache == "auto" and not is_large(sum(map(_n_bytes, paths)))):
        return [None] * len(paths)
    return [_file(path, reading) for path in paths]


def _n_bytes(path: Path) -> int:
    """About what a file takes unpacked."""
    size = path.stat().st_size
    if path.suffix.lower() == ".parquet":
        try:
            found = pa.parquet.read_metadata(path)
        except (pa.ArrowException, OSError):
            return size
        return max(size, found.num_rows * found.num_columns * 8)
    return size * PACKED if packed_suffix(path) else size


def _file(path: Path, reading: CellOptions) -> Path:
    """Named by all that the table's columns follow from."""
    state = path.stat()
    times = (state.st_mtime_ns, state.st_ctime_ns)
    name = digest(str(path.resolve()), state.st_size, *times, *map(sorted, reading[:3]), reading.encoding)
    return cache_folder() / "tables" / f"{name}.arrow"


def digest(*parts: object) -> str:
    """Hash parts of a cache key by their representation."""
    return hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()[:32]


def map_table(file: Path) -> pa.Table:
    """The table of an Arrow file, whose columns are read when they are asked for."""
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()


def _write(
    file: IO[bytes], schema: pa.Schema, blocks: Iterable[pa.Table], reading: CellOptions = DEFAULT_CELLS
) -> None:
    with pa.ipc.new_file(file, schema) as writer:
        for block in blocks:
            writer.write_table(marks_to_null(block, reading.missing))


def stream_parquet(path: Path, reading: CellOptions, keep: Path) -> None:
    """Write the table of a Parquet file to `keep`, dictionaries decoded."""
    with tempfile.NamedTemporaryFile(dir=keep.parent) as unpacked:
        if packed_suffix(path):
            with open_unpacked(path) as file:
                shutil.copyfileobj(file, unpacked)
            unpacked.flush()
            path = Path(unpacked.name)
        with pa.parquet.ParquetFile(path, memory_map=True) as table:
            fields = [field.with_type(_decoded(field.type)) for field in table.schema_arrow]
            schema = pa.schema(fields, table.schema_arrow.metadata)
            batches = table.iter_batches(max(1, BLOCK_VALUES // max(1, len(schema))))
            tables = (validated(pa.Table.from_batches([batch])).cast(schema) for batch in batches)
            write_atomically(keep, lambda file: _write(file, schema, tables, reading))


def stream_json(path: Path, reading: CellOptions, keep: Path) -> None:
    """Write the table of a file of JSON lines to `keep`."""
    schema = json_schema(path)
    write_atomically(keep, lambda file: _write(file, schema, json_blocks(path, schema), reading))


def validated(table: pa.Table) -> pa.Table:
    """A table whose text is UTF-8, which Parquet promises and a damaged file may not hold."""
    table.validate(full=True)
    return table


def _decoded(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def stream_text(path: Path, dialect: Dialect, reading: CellOptions, keep: Path) -> None:
    """Write the table of a text file to `keep`, each column of the type that pyarrow tells from all its values."""
    with tempfile.NamedTemporaryFile(dir=keep.parent) as temporary:
        try:
            _write_text(temporary, path, dialect, reading, SMALL_BLOCK)
        except pa.ArrowInvalid:  # rows may be longer than that
            _write_text(temporary, path, dialect, reading, BLOCK_BYTES)
        table = map_table(Path(temporary.name))
        refuse_open_quote(path, dialect, table)
        parse = partial(_parsed, dialect, reading)
        kinds = _kinds(table, parse)
        beyond = [name for name, kind in kinds.items() if kind == pa.float64()]
        whole = [name for name, kind in kinds.items() if kind == pa.int64()]
        codes = code_columns(_blocks(table.select([*whole, *beyond])), beyond)
        kinds |= dict.fromkeys((*reading.text, *codes), pa.string())
        schema = pa.schema([(name, kinds[name]) for name in table.column_names])
        blocks = (with_decimal_points(_converted(block, schema, parse), dialect) for block in _blocks(table))
        write_atomically(keep, lambda file: _write(file, schema, blocks, reading))


def _write_text(file: IO[bytes], path: Path, dialect: Dialect, reading: CellOptions, block_size: int) -> None:
    """Fill `file` with the table of a text file, all columns as text."""
    file.seek(0)
    file.truncate()
    with text_blocks(path, dialect, reading.marks(), block_size=block_size) as reader:
        schema = pa.schema([(name, pa.string()) for name in reader.schema.names])
        _write(file, schema, _merged(pa.Table.from_batches([block]).cast(schema) for block in reader))
    file.flush()


def _merged(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in blocks of `BLOCK_BYTES` bytes at least, as each column of a block takes memory of its own."""
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


def _kinds(table: pa.Table, parse: Parse) -> dict[str, pa.DataType]:
    """The first type of each column of text that all its values have."""
    seen: dict[str, set[pa.DataType]] = {name: {pa.null()} for name in table.column_names}
    for block in _blocks(table):
        unsure = [name for name, kinds in seen.items() if pa.string() not in kinds]
        for field in parse(block.select(unsure)).schema if unsure else ():
            seen[field.name].add(field.type)
    return {name: _kind(kinds, table.select([name]), parse) for name, kinds in seen.items()}


def _kind(seen: set[pa.DataType], column: pa.Table, parse: Parse) -> pa.DataType:
    """The first type that all values of a column have, whose blocks are of the types `seen`."""
    kinds = KINDS[max(map(KINDS.index, seen)) :]
    if len(seen) <= 2 or seen == {pa.null(), pa.int64(), pa.float64()}:
        return kinds[0]
    return next(kind for kind in kinds if all(_is(kind, block, parse) for block in _blocks(column)))


def _is(kind: pa.DataType, column: pa.Table, parse: Parse) -> bool:
    try:
        parse(column, dict.fromkeys(column.column_names, kind))
    except pa.ArrowInvalid:
        return False
    return True


def _converted(text: pa.Table, schema: pa.Schema, parse: Parse) -> pa.Table:
    """Columns of text as the types of `schema`."""
    kinds = {field.name: field.type for field in schema if field.type != pa.string()}
    parsed = parse(text.select(list(kinds)), kinds) if kinds else text
    return pa.table({name: (parsed if name in kinds else text)[name] for name in schema.names})


def _parsed(
    dialect: Dialect, reading: CellOptions, text: pa.Table, kinds: Mapping[str, pa.DataType] | None = None
) -> pa.Table:
    """Columns of text as the parser of CSV files takes them, of given types or of those that it tells."""
    file = pa.BufferOutputStream()
    pa.csv.write_csv(text, file, pa.csv.WriteOptions(include_header=False))
    content = file.getvalue()
    return pa.csv.read_csv(
        pa.BufferReader(content),
        pa.csv.ReadOptions(column_names=text.column_names, block_size=content.size),
        pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa.csv.ConvertOptions(
            column_types=kinds,
            null_values=["", *reading.not_missing],
            strings_can_be_null=True,
            decimal_point=dialect.decimal_point,
        ),
    )
