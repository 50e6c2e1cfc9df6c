"""Apply one function to many files on all cores. Imports no torch, so that worker processes start fast."""

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

CHUNK_SIZE = 32  # files a worker takes at a time


def map_files(function: Callable[[Path], Any], paths: Sequence[Path], description: str) -> Iterator[Any]:
    """Yield the results of `function` in the order of `paths`; a UserError that it raises is the result.

    Runs in this process for few files. On a terminal a progress bar shows `description`.

    Args:
        function: of a module, so that workers can import it.
        paths: of the files.
        description: of the work, such as "decoding".

    Raises:
        UserError: when a worker was killed.
    """
    from rich.console import Console
    from rich.progress import track

    results = itertools.chain.from_iterable(_map_chunks(functools.partial(_results, function), paths))
    console = Console(stderr=True)
    yield from track(results, description, len(paths), console=console, transient=True, disable=not sys.stderr.isatty())


def _map_chunks(function: Callable[[Sequence[Path]], list[Any]], paths: Sequence[Path]) -> Iterator[list[Any]]:
    chunks = [paths[start : start + CHUNK_SIZE] for start in range(0, len(paths), CHUNK_SIZE)]
    n_workers = min(n_cores(), len(chunks) // 4)
    if n_workers < 2:
        yield from map(function, chunks)
        return
    pool: Any = get_reusable_executor(n_workers)  # starts processes without running the user's script in them
    pending: deque[Any] = deque()
    try:
        for chunk in chunks:
            pending.append(pool.submit(function, chunk))
            if len(pending) > 2 * n_workers:  # so that few chunks are in memory
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process that read images was killed, as the system does when memory runs out\n"
            "close other programs, or set a smaller data.size; the same command tries again"
        ) from error
    finally:
        for future in pending:
            future.cancel()


def _results(function: Callable[[Path], Any], paths: Sequence[Path]) -> list[Any]:
    return [_result_or_error(function, path) for path in paths]


def _result_or_error(function: Callable[[Path], Any], path: Path) -> Any:
    try:
        return function(path)
    except UserError as error:
        return error
