"""Tables larger than memory: written once, block by block, to an Arrow file in the cache, and mapped from there."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet

from zoo.core.atomic_files import write_atomically
from zoo.core.errors import UserError
from zoo.data.columns.missing_marks import marks_to_null
from zoo.data.formats.cell_options import CellOptions
from zoo.data.memory_limits import is_large
from zoo.data.sources.cache import cache_folder
from zoo.data.sources.packed import packed_suffix

VERSION = 3  # of the cached files; a new one writes every file again
BLOCK_VALUES = 1 << 20  # in a block of rows
UNPACKED_RATIO = 5  # how many times larger a packed file becomes


def cache_files(paths: Sequence[Path], cache: bool | str, cells: CellOptions) -> list[Path] | list[None]:
    """Choose the cached file for each of some tables that are read together; None to read them into memory.

    Args:
        paths: of the tables.
        cache: True, False, or "auto" for tables that are large.
        cells: as in `read_table`.
    """
    if cache not in ("auto", True, False):
        raise UserError(f"data.cache is one of auto, true, false; got {cache}")
    exist = all(path.is_file() for path in paths)
    if not exist or cache is False or (cache == "auto" and not is_large(sum(map(_memory_bytes, paths)))):
        return [None] * len(paths)
    return [_cache_file(path, cells) for path in paths]


def _memory_bytes(path: Path) -> int:
    """Estimate the memory that a table takes."""
    size = path.stat().st_size
    if path.suffix.lower() == ".parquet":
        try:
            metadata = pa.parquet.read_metadata(path)
        except (pa.ArrowException, OSError):
            return size
        return max(size, metadata.num_rows * metadata.num_columns * 8)
    return size * UNPACKED_RATIO if packed_suffix(path) else size


def _cache_file(path: Path, cells: CellOptions) -> Path:
    """The cached file, named by a hash of everything that the table's columns depend on."""
    state = path.stat()
    times = (state.st_mtime_ns, state.st_ctime_ns)
    name = digest(str(path.resolve()), state.st_size, *times, *map(sorted, cells[:3]), cells.encoding)
    return cache_folder() / "tables" / f"{name}.arrow"


def digest(*parts: object) -> str:
    """Hash the parts of a cache key by their representation."""
    return hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()[:32]


def write_blocks(file: Path, blocks: Iterator[pa.Table], missing: Sequence[str]) -> None:
    """Write blocks of one schema to an Arrow file, with null for the marks `missing`."""

    def write(out: IO[bytes]) -> None:
        first = next(blocks)
        with pa.ipc.new_file(out, first.schema) as writer:
            for block in chain([first], blocks):
                writer.write_table(marks_to_null(block, missing))

    write_atomically(file, write)


def map_table(file: Path) -> pa.Table:
    """Map an Arrow file; its columns are read when they are used."""
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()
