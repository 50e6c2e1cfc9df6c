"""Packed files, and the name of the table in one, which tells its form."""

import bz2
import contextlib
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import rich.markup
import rich.progress

from zoo.core.console import printable
from zoo.core.errors import UserError
from zoo.core.system import free_memory
from zoo.data.stored import SHARE

BLOCK = 1 << 23  # bytes that are read at once; longer than any row
LARGE = 1 << 26  # bytes of a file from which progress is shown


def _only_member(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    try:
        return archive.open(_member(archive))
    except RuntimeError as error:  # it has a password
        raise UserError(f"{archive.filename} cannot be unpacked: {error}; unpack it first") from error


def _member(archive: zipfile.ZipFile) -> str:
    """The one file of an archive, beside what macOS adds."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1:
        found = ", ".join(names[:5]) or "none"
        raise UserError(f"a packed table is one file; {archive.filename or 'the .zip'} holds {len(names)}: {found}")
    return names[0]


UNPACK: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _only_member,
}
FAILURES = (EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)  # of damaged and cut files


def packing(path: Path) -> str:
    """The ending that says how a file is packed, or none."""
    return path.suffix.lower() if path.suffix.lower() in UNPACK else ""


def table_form(path: Path) -> str:
    """The ending, in small letters, that says what a table is, packed or not."""
    inner = Path(path.stem) if packing(path) else path
    if packing(path) == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inner = Path(_member(archive))
    return inner.suffix.lower()


@contextlib.contextmanager
def opened(path: Path, silent: bool = False) -> Iterator[Any]:
    """The file, unpacked; on a terminal with a progress bar if it is large."""
    silent = silent or path.stat().st_size < LARGE or not sys.stdout.isatty()
    told = rich.markup.escape(printable(f"reading {path.name}"))
    with rich.progress.open(path, "rb", description=told, disable=silent, transient=True) as file:
        unpack = UNPACK.get(packing(path))
        yield unpack(file) if unpack else file


def check_unpacked(path: Path) -> None:
    """Raise UserError where a packed file unpacks to more than fits in memory as a table, which no header tells."""
    most = free_memory() // SHARE if packing(path) else None
    with opened(path) as file:
        while most is not None and (chunk := file.read(BLOCK)):
            most -= len(chunk)
            if most < 0:
                raise UserError(f"{path} unpacks to more than may be held in memory; unpack it first")
