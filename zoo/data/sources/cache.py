"""The cache folder, and files in it that are created once, atomically, whatever is killed."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from zoo.core.atomic_files import TEMPORARY_SUFFIX
from zoo.core.errors import UserError
from zoo.core.system import private_temporary_folder


def folder_from_variable(variable: str) -> Path | None:
    """The folder in an environment variable, such as ZOO_DATA; None if it is not set."""
    name = os.environ.get(variable)
    return Path(name).expanduser() if name else None


def cache_folder() -> Path:
    """The folder for downloaded and unpacked files: ZOO_CACHE if it can be written to, else the user's cache."""
    shared = folder_from_variable("ZOO_CACHE")
    return shared if shared and _can_write(shared) else user_cache_folder()


def user_cache_folder() -> Path:
    """The user's cache, else a temporary folder."""
    home = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "zoo")
    return Path(home) if _can_write(home) else private_temporary_folder("zoo")


def writable_cache_path(path: Path) -> Path:
    """Where to write a file of the cache: at `path`, or at the same place in the user's cache if a folder of
    another user is in the way."""
    if _can_write(path.parent) or not path.is_relative_to(cache_folder()):
        return path
    own = user_cache_folder() / path.relative_to(cache_folder())
    own.parent.mkdir(parents=True, exist_ok=True)
    return own


def _can_write(folder: str | Path) -> bool:
    """Whether files can be written to a folder, which is created."""
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
    return os.access(folder, os.W_OK)


def cached(path: Path, create: Callable[[Path], object], is_whole: Callable[[Path], bool] = Path.exists) -> Path:
    """Create a file or folder of the cache once, under a lock; other processes that need it wait.

    Args:
        path: of the file or folder.
        create: writes it at the path it is given, in a temporary folder where it may leave other files.
        is_whole: whether what is at `path` is complete; if not, it is replaced.

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
                _create(path, create)
    except OSError as error:
        if error.errno is None:  # of reading, as of a damaged packed file
            raise
        raise UserError(
            f"cannot cache the data in {path.parent}: {error.strerror}\n"
            "set ZOO_CACHE to a folder that you can write to and that has room, or data.cache=false"
        ) from error
    return path


def _create(path: Path, create: Callable[[Path], object]) -> None:
    """Create `path` in a temporary folder beside it and move it into place."""
    folder = path.with_name(path.name + TEMPORARY_SUFFIX)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        create(folder / path.name)
        if path.is_dir():  # damaged
            shutil.rmtree(path)
        os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder of the cache: temporary folders whose lock no process holds."""
    from filelock import FileLock, Timeout

    for leftover in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        lock = str(leftover).removesuffix(TEMPORARY_SUFFIX) + ".lock"
        with contextlib.suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(leftover, ignore_errors=True)
