"""Ask the operating system for memory, cores, processes and temporary folders, on Linux (with cgroups v1, v2 or none),
macOS and Windows."""

import contextlib
import functools
import os
import platform
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zoo.core.console import echo

# Signals on which a training saves and stops; not every system has all.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
DEFAULT_MEMORY = 8 << 30  # bytes, if the system does not say


def free_memory() -> int:
    """Bytes that this process may still allocate: the machine's, within the limits of cgroups and ulimit."""
    return min([*_available_memory(), *_cgroup_limits(), *_ulimit()], default=DEFAULT_MEMORY)


def _available_memory() -> Iterator[int]:
    with contextlib.suppress(ImportError):
        import psutil

        yield psutil.virtual_memory().available


def _ulimit() -> Iterator[int]:
    """What `ulimit -d` leaves for this process."""
    with contextlib.suppress(ImportError):  # on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        if limit != resource.RLIM_INFINITY:
            import psutil

            yield limit - getattr(psutil.Process().memory_info(), "data", 0)  # known on Linux


def _cgroup_limits(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """The limits of this process's cgroups, v1 or v2, and of their parents."""
    for line in proc.read_text().splitlines() if proc.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        folder, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        group = folder / path.lstrip("/")
        for file in (parent / name for parent in (group, *group.parents) if parent.is_relative_to(folder)):
            with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
                yield int(file.read_text())


def n_cores() -> int:
    """Cores that this process may use, within its affinity and the limits of cgroups."""
    from joblib import cpu_count

    return int(cpu_count())


def process_exists(pid: int) -> bool:
    """Whether there is a process with this number."""
    import psutil

    return bool(psutil.pid_exists(pid))


def hardware() -> str:
    """The name, architecture and cores of the processor."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} ({platform.machine()}), {os.cpu_count()} cores"


def fsync_folder(folder: Path) -> None:
    """Sync the entries of a folder to disk, where the system can: Windows cannot open folders."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@functools.cache
def private_temporary_folder(name: str) -> Path:
    """A temporary folder that persists and that only this user can write to; a new one if somebody else owns its
    name."""
    if not hasattr(os, "getuid"):
        folder = Path(tempfile.gettempdir()) / name  # a user's own on Windows
        folder.mkdir(exist_ok=True)
        return folder
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
        return folder
    echo(f"{folder} can be written to by others, so it is not used; set ZOO_CACHE to a folder that keeps data")
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))
