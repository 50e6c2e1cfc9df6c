"""Write files atomically; check where they may be written; hash them."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from zoo.core.errors import UserError
from zoo.core.system import fsync_folder

TEMPORARY_SUFFIX = ".zoo-tmp"  # of a file that is being written


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that `path` always has either the old content or the new, synced to disk.

    A link is kept and its target replaced; a device or a pipe is written to directly.

    Args:
        path: of the file; its folder is created.
        write: called with the open file.

    Raises:
        OSError: when the disk is full or the folder read-only; `path` is then unchanged.
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
    """Write and sync to disk. On failure the error names `path` and the bytes that fitted."""
    try:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno is None:
            raise
        n, free = os.fstat(file.fileno()).st_size, shutil.disk_usage(path.parent).free
        message = f"{os.strerror(error.errno)} after {n:,} bytes, {free:,} are free; the previous file is unchanged"
        raise OSError(error.errno, message, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """`write_atomically` for text in UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))


def check_output_path(output: Path, sources: Iterable[Path], example: str = "answers.csv") -> None:
    """Raise UserError if the file to write is a folder or, under any name, one of the `sources` that it is made from.

    `example` is a file name that the message suggests.
    """
    if output.is_dir():
        raise UserError(f"the output is a file; {output} is a folder: name a file in it, such as {output / example}")
    if output.exists() and any(source.exists() and output.samefile(source) for source in sources):
        raise UserError(f"the output does not overwrite its input; {output} is an input: give another name")


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
