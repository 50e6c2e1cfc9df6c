"""The guard around one case: it must succeed or raise UserError, in bounded time and memory, without side effects."""

import contextlib
import functools
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError

SECONDS = 10.0  # seconds of CPU time per case
WAITING = 60.0  # seconds of wall-clock time
MEMORY = 2 << 30  # bytes by which the process may grow
FORBIDDEN = ("pickle.find_class", "os.system", "subprocess.Popen", "socket.connect", "socket.getaddrinfo")
FAMILIES = ("os.exec", "os.spawn", "os.posix_spawn", "os.fork", "ctypes.dlopen")
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Violation(BaseException):
    """A forbidden action; a BaseException, so that no error handler catches it."""


class Guard:
    """Runs cases, and raises Violation for forbidden actions.

    Args:
        folders: where a case may write.
        seconds: of CPU time per case; `WAITING` limits wall-clock time, which other processes may slow down.
        allowed: forbidden actions that these cases may do.
    """

    def __init__(self, *folders: Path, seconds: float = SECONDS, allowed: Sequence[str] = ()):
        self.folders = tuple(os.path.realpath(folder) + os.sep for folder in folders)
        self.seconds, self.allowed = seconds, allowed
        self._seen: list[str] = []  # violations of the running case
        _listen()

    def __call__(self, run: Callable[[Any], object], case: Any) -> bool:
        """Run a case; return True if `run` accepted it, False if it raised UserError."""
        global _running
        self._seen = []
        peak = peak_memory()
        try:
            _running = self
            with self._timers():
                run(case)
            taken = True
        except UserError as error:
            if _out_of_memory(error) and peak_memory() - peak > MEMORY // 4:  # beyond what was only asked for
                raise Violation(f"took more than {MEMORY >> 20:,} MB") from error
            taken = False
        except Exception as error:
            raise Violation(f"{type(error).__name__}: {error}"[:500]) from error
        finally:
            _running = None
        if self._seen:
            raise Violation(self._seen[0])
        return taken

    @contextlib.contextmanager
    def _timers(self) -> Iterator[None]:
        timers = {
            signal.SIGPROF: (signal.ITIMER_PROF, self.seconds),
            signal.SIGALRM: (signal.ITIMER_REAL, WAITING),
        }
        before = {number: signal.signal(number, self._late) for number in timers}
        for timer, seconds in timers.values():
            signal.setitimer(timer, seconds)
        try:
            yield
        finally:
            for number, (timer, _) in timers.items():
                signal.setitimer(timer, 0)
                signal.signal(number, before[number])

    def _late(self, *_: object) -> None:
        self._refuse(f"took longer than {self.seconds:g} s")

    def _refuse(self, what: str) -> None:
        if _running is self:
            self._seen.append(what)
            raise Violation(what)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise Violation for a forbidden action; called for every audit event of the interpreter."""
        if (event in FORBIDDEN or event.startswith(FAMILIES)) and event not in self.allowed:
            self._refuse(f"{event} {arguments!r}"[:500])
        if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:  # a name in an open folder, as rmtree has it
            arguments = (os.path.join(os.readlink(f"/proc/self/fd/{arguments[1]}"), arguments[0]),)
        if event in CHANGES or (event == "open" and _writes(*arguments)):
            for path in arguments[: 2 if event == "os.rename" else 1]:
                self._check(event, path)

    def _check(self, event: str, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            found = os.path.realpath(os.fsdecode(path))
            if found != os.devnull and not (found + os.sep).startswith(self.folders):
                self._refuse(f"{event} {found}")


_running: Guard | None = None  # of the running case


@functools.cache
def _listen() -> None:
    """Install the audit hook of all guards, once, because Python cannot remove it."""
    sys.addaudithook(lambda event, arguments: _running.audit(event, arguments) if _running else None)


def _writes(_: object, mode: str | None, flags: int) -> bool:
    return bool(set(mode or "") & set("wax+")) or bool(flags & WRITING)


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Limit the growth of the process to `MEMORY`."""
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_kilobytes("VmData") * 1024 + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def peak_memory() -> int:
    """Return the peak memory of the process in bytes."""
    return _kilobytes("VmHWM") * 1024


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
