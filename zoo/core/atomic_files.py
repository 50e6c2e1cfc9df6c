"""Files written whole or not at all, where they may be written, and their hash."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from zoo.core.errors import UserError
from zoo.core.system import fsync_folder

TEMPORARY_SUFFIX = ".zoo-tmp"  # ends the name of a file that is being written


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that `path` is always either the old content or the new, on disk. A link stays
    one; to a device or a pipe it is just written.

    Args:
        path: of the file; its folder is made where it is missing.
        write: called with the open file.

    Raises:
        OSError: when the disk is full or the folder read-only; `path` is then as it was.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with open(path, "wb") as device:
            write(device)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    try:
        with open(temporary, "xb") as file:
            _write(file, write, path)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def _write(file: IO[bytes], write: Callable[[IO[bytes]], object], path: Path) -> None:
    """Write, down to the disk. Where that fails the error names `path` and the bytes that there was room for."""
    try:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno is None:
            raise
        n, free = os.fstat(file.fileno()).st_size, shutil.disk_usage(path.parent).free
        told = f"{os.strerror(error.errno)} after {n:,} bytes, {free:,} are free; the file from before is as it was"
        raise OSError(error.errno, told, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """`write_whole` for text."""
    write_atomically(path, lambda file: file.write(text.encode()))


def check_output_path(output: Path, sources: Iterable[Path], example: str = "answers.csv") -> None:
    """Raise UserError where `output`, which is to be written, is a folder, or one of the files that it is made from, by
    any name. `example` is a name to give it."""
    if output.is_dir():
        raise UserError(f"the output is a file; {output} is a folder: give a name in it, such as {output / example}")
    if output.exists() and any(source.exists() and output.samefile(source) for source in sources):
        raise UserError(
            f"the output is not written over what it is made from; {output} is one of those: give another name"
        )


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
