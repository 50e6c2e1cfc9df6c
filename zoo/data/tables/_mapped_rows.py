"""The tensors of a table larger than memory: written to the cache block by block, and mapped."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from zoo.core.atomic_files import write_atomically
from zoo.core.spec import Column
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.encode import encode, table_inputs
from zoo.data.formats.table_cache import BLOCK_VALUES, digest
from zoo.data.sources.cache import cached
from zoo.data.stored import MappedRows


def map_rows(
    columns: Sequence[Column], table: pa.Table, *, dates: Mapping[str, str] | None, place: Place, cache: Path
) -> dict[str, MappedRows]:
    """Encode a table as `encode` does, each tensor into a file beside `cache`, the cached file of the table."""
    mapped = {}
    for name, an_input in table_inputs(columns).items():
        part = [column for column in columns if (column.kind == "categorical") == (name == "categorical")]
        file = cache.with_suffix(f".{digest(part, dates, an_input.dtype)}.{name}")
        file = cached(file, partial(_write_rows, columns=part, table=table, dates=dates, place=place))
        (width,) = an_input.shape
        mapped[name] = MappedRows(file, an_input.dtype, (len(table), width or 0))
    return mapped


def _write_rows(
    file: Path, columns: Sequence[Column], table: pa.Table, dates: Mapping[str, str] | None, place: Place
) -> None:
    """Write the tensor of columns of one kind, block by block of rows."""

    def block(start: int) -> memoryview:
        tensors = encode(columns, table.slice(start, n), dates=dates, place=lambda row: place(start + row))
        (tensor,) = tensors.values()
        return tensor.numpy().data

    n = max(1, BLOCK_VALUES // len(columns))
    write_atomically(file, lambda out: out.writelines(map(block, range(0, len(table), n))))
