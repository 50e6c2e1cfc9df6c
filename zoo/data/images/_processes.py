"""One function over many files, on all cores. Needs no torch, so that processes start at once."""

import functools
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from joblib.externals.loky import get_reusable_executor

from zoo.core.errors import UserError
from zoo.core.system import n_cores

CHUNK = 32  # files a process takes at a time


def in_processes(function: Callable[[Path], Any], paths: Sequence[Path], doing: str) -> Iterator[Any]:
    """What `function`, of a module, makes of each path, in order; where it raises UserError, that error.

    Few files are done by the caller itself. On a terminal a bar called `doing` shows how far it is.

    Raises:
        UserError: when a process was killed.
    """
    from rich.console import Console
    from rich.progress import track

    results = itertools.chain.from_iterable(_chunks(functools.partial(_attempts, function), paths))
    console = Console(stderr=True)
    yield from track(results, doing, len(paths), console=console, transient=True, disable=not sys.stderr.isatty())


def _chunks(function: Callable[[Sequence[Path]], list[Any]], paths: Sequence[Path]) -> Iterator[list[Any]]:
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    n_processes = min(n_cores(), len(chunks) // 4)
    if n_processes < 2:
        yield from map(function, chunks)
        return
    pool: Any = get_reusable_executor(n_processes)  # starts processes without running the user's script in them
    waiting: deque[Any] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(function, chunk))
            if len(waiting) > 2 * n_processes:  # so that memory holds a few chunks only
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process that read images was killed, as the system does when memory runs out\n"
            "close other programs, or set a smaller data.size; the same command tries again"
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def _attempts(function: Callable[[Path], Any], paths: Sequence[Path]) -> list[Any]:
    return [_attempt(function, path) for path in paths]


def _attempt(function: Callable[[Path], Any], path: Path) -> Any:
    try:
        return function(path)
    except UserError as error:
        return error
