"""Packed files: .gz, .bz2, .xz and .zip."""

import bz2
import contextlib
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import rich.markup
import rich.progress

from zoo.core.console import printable
from zoo.core.errors import UserError
from zoo.core.system import free_memory
from zoo.data.memory_limits import LARGE_SHARE

BLOCK_BYTES = 1 << 23  # read at once; longer than any row
PROGRESS_BYTES = 1 << 26  # size of a file from which a progress bar is shown


class Packing(NamedTuple):
    """How a kind of packed file begins, and what opens it: called with a path or a file."""

    magic: bytes
    open: Callable[..., Any]


def _open_only_member(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    try:
        return archive.open(_only_member(archive))
    except RuntimeError as error:  # it has a password
        raise UserError(f"{archive.filename} cannot be unpacked: {error}; unpack it first") from error


def _only_member(archive: zipfile.ZipFile) -> str:
    """The name of the one file in an archive, except for what macOS adds."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1:
        found = ", ".join(names[:5]) or "none"
        raise UserError(f"a packed table is one file; {archive.filename or 'the .zip'} holds {len(names)}: {found}")
    return names[0]


PACKINGS = {
    ".gz": Packing(b"\x1f\x8b", gzip.open),
    ".bz2": Packing(b"BZh", bz2.open),
    ".xz": Packing(b"\xfd7zXZ\0", lzma.open),
    ".zip": Packing(b"PK\3\4", _open_only_member),
}
UNPACK_ERRORS = (EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)  # of damaged and cut files


def packed_suffix(path: Path) -> str:
    """The suffix by which a file is packed, in lower case; "" if it is not."""
    return path.suffix.lower() if path.suffix.lower() in PACKINGS else ""


def inner_suffix(path: Path) -> str:
    """The suffix of a file, or of the file packed in it, in lower case."""
    inner = Path(path.stem) if packed_suffix(path) else path
    if packed_suffix(path) == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inner = Path(_only_member(archive))
    return inner.suffix.lower()


@contextlib.contextmanager
def open_unpacked(path: Path, silent: bool = False) -> Iterator[Any]:
    """Open a file and unpack it; on a terminal, show a progress bar if it is large."""
    silent = silent or path.stat().st_size < PROGRESS_BYTES or not sys.stdout.isatty()
    description = rich.markup.escape(printable(f"reading {path.name}"))
    with rich.progress.open(path, "rb", description=description, disable=silent, transient=True) as file:
        suffix = packed_suffix(path)
        yield PACKINGS[suffix].open(file) if suffix else file


def check_unpacked_size(path: Path) -> None:
    """Raise UserError if a packed file unpacks to more than fits in memory as a table; no header says how much."""
    room = free_memory() // LARGE_SHARE if packed_suffix(path) else None
    with open_unpacked(path) as file:
        while room is not None and (chunk := file.read(BLOCK_BYTES)):
            room -= len(chunk)
            if room < 0:
                raise UserError(f"{path} unpacks to more than may be held in memory; unpack it first")
