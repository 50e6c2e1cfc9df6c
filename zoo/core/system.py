"""What is asked of the operating system, with an answer on each: Linux with control groups of either version or none,
macOS, Windows."""

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

# A training saves and ends on these, of which each system has some.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
UNKNOWN_MEMORY = 8 << 30  # bytes, where nothing says how many are free


def free_memory() -> int:
    """Bytes that this process may take: what the machine has free, within the limits of control groups and ulimit."""
    return min([*_machine_memory(), *_group_limits(), *_process_limit()], default=UNKNOWN_MEMORY)


def _machine_memory() -> Iterator[int]:
    with contextlib.suppress(ImportError):
        import psutil

        yield psutil.virtual_memory().available


def _process_limit() -> Iterator[int]:
    """What `ulimit -d` leaves of the memory that a process may take for itself."""
    with contextlib.suppress(ImportError):  # on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        if limit != resource.RLIM_INFINITY:
            import psutil

            yield limit - getattr(psutil.Process().memory_info(), "data", 0)  # known on Linux


def _group_limits(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """The limits of this process's control groups, of either version, and of the groups around them."""
    for line in proc.read_text().splitlines() if proc.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        folder, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        group = folder / path.lstrip("/")
        for file in (parent / name for parent in (group, *group.parents) if parent.is_relative_to(folder)):
            with contextlib.suppress(OSError, ValueError):  # none there, or "max"
                yield int(file.read_text())


def n_cores() -> int:
    """Cores that this process may use: of the machine, within its affinity and the limits of control groups."""
    from joblib import cpu_count

    return int(cpu_count())


def process_exists(pid: int) -> bool:
    """Whether there is a process of this number."""
    import psutil

    return bool(psutil.pid_exists(pid))


def hardware() -> str:
    """The processor's name and cores, and the architecture."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} ({platform.machine()}), {os.cpu_count()} cores"


def fsync_folder(folder: Path) -> None:
    """Bring the names of a folder's files down to the disk, where the system can: Windows opens no folders."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@functools.cache
def private_temporary_folder(name: str) -> Path:
    """A folder for temporary files that is there again next time and that this user alone can write to; a new one,
    where somebody else has taken its name."""
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
    echo(f"{folder} is not this user's alone, so it is not used; set ZOO_CACHE to a folder that keeps data")
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))
