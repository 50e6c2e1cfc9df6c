"""Tables as Parquet."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.table_cache import BLOCK_VALUES
from zoo.data.registry import BLOCKS, FORMATS
from zoo.data.sources.packed import check_unpacked_size, open_unpacked, packed_suffix


@FORMATS.register(".parquet")
def read_parquet(path: Path, _cells: CellOptions) -> pa.Table:
    """Read a whole file."""
    if not packed_suffix(path):
        return _validated(pa.parquet.read_table(path))
    check_unpacked_size(path)
    with open_unpacked(path) as file:
        return _validated(pa.parquet.read_table(pa.BufferReader(file.read())))


@BLOCKS.register(".parquet")
def read_parquet_blocks(path: Path, _cells: CellOptions, folder: Path) -> Iterator[pa.Table]:
    """Read a file block by block, with its dictionaries decoded; a packed one is unpacked into `folder` first."""
    with tempfile.NamedTemporaryFile(dir=folder) as unpacked:
        if packed_suffix(path):
            with open_unpacked(path) as file:
                shutil.copyfileobj(file, unpacked)
            unpacked.flush()
            path = Path(unpacked.name)
        with pa.parquet.ParquetFile(path, memory_map=True) as table:
            fields = [field.with_type(_decoded_type(field.type)) for field in table.schema_arrow]
            schema = pa.schema(fields, table.schema_arrow.metadata)
            yield schema.empty_table()
            for batch in table.iter_batches(max(1, BLOCK_VALUES // max(1, len(schema)))):
                yield _validated(pa.Table.from_batches([batch])).cast(schema)


def _validated(table: pa.Table) -> pa.Table:
    """Check that text is UTF-8, which a damaged file may violate."""
    table.validate(full=True)
    return table


def _decoded_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
