"""The cache: where it is, and what is made once and kept there, whole or not at all, whatever is killed."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from zoo.core.atomic_files import TEMPORARY_SUFFIX
from zoo.core.errors import UserError
from zoo.core.system import private_temporary_folder


def folder_from_variable(variable: str) -> Path | None:
    """The folder that a variable of the environment names, such as ZOO_DATA; None where it names none."""
    name = os.environ.get(variable)
    return Path(name).expanduser() if name else None


def cache_folder() -> Path:
    """A folder for fetched and unpacked files: ZOO_CACHE, else this user's own."""
    shared = folder_from_variable("ZOO_CACHE")
    return shared if shared and _can_write(shared) else user_cache_folder()


def user_cache_folder() -> Path:
    """The user's cache, else a temporary folder."""
    home = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "zoo")
    return Path(home) if _can_write(home) else private_temporary_folder("zoo")


def writable_cache_path(path: Path) -> Path:
    """Where to write what belongs at a path in the cache: there, or at its like in the user's own cache, where a folder
    of another user's stands in the way."""
    if _can_write(path.parent) or not path.is_relative_to(cache_folder()):
        return path
    own = user_cache_folder() / path.relative_to(cache_folder())
    own.parent.mkdir(parents=True, exist_ok=True)
    return own


def _can_write(folder: str | Path) -> bool:
    """Whether files can be put into a folder, which is made where it is not there."""
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
    return os.access(folder, os.W_OK)


def cached(path: Path, make: Callable[[Path], object], is_whole: Callable[[Path], bool] = Path.exists) -> Path:
    """A file or folder of the cache, which is made where it is not there yet; processes that need it too wait for the
    one that does.

    Args:
        path: of the file or folder.
        make: writes it at the path it is given, in a folder for this alone, where it may leave other files.
        is_whole: whether what is at `path` will do; what will not is replaced.

    Raises:
        UserError: when the disk is full or cannot be written to.
    """
    from filelock import FileLock

    remove_leftovers(path.parent)
    if is_whole(path):
        return path
    path = writable_cache_path(path)
    try:
        with FileLock(f"{path}.lock"):
            if not is_whole(path):
                _make(path, make)
    except OSError as error:
        if error.errno is None:  # of what is read, such as a packed file
            raise
        raise UserError(
            f"cannot keep the data in {path.parent}: {error.strerror}\n"
            "set ZOO_CACHE to a folder that you can write to and that has room, or data.cache=false"
        ) from error
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half made in a folder of the cache: that which no process holds the lock of."""
    from filelock import FileLock, Timeout

    for left in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        lock = str(left).removesuffix(TEMPORARY_SUFFIX) + ".lock"
        with contextlib.suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(left, ignore_errors=True)


def _make(path: Path, make: Callable[[Path], object]) -> None:
    """Make `path` beside its place and put it there."""
    place = path.with_name(path.name + TEMPORARY_SUFFIX)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        make(place / path.name)
        if path.is_dir():  # damaged
            shutil.rmtree(path)
        os.replace(place / path.name, path)
    finally:
        shutil.rmtree(place, ignore_errors=True)
