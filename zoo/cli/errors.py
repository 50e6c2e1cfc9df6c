"""End a command with the zoo's exit code and a short message."""

import atexit
import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from zoo.core.atomic_files import TEMPORARY_SUFFIX
from zoo.core.extras import install_command
from zoo.core.library_warnings import ignore_library_warnings
from zoo.core.rank_zero import is_one_of_several

BATCH_SIZE, ACCUMULATE = "data.batch_size", "trainer.accumulate_grad_batches"
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|unable to allocate", re.IGNORECASE)


@contextlib.contextmanager
def exit_codes(config_name: str | None = None, overrides: Sequence[str] = (), config: Any = None) -> Iterator[None]:
    """End the process with an exit code and at most five lines for each error that `outcome` knows, without the
    libraries' warnings that are no concern."""
    ignore_library_warnings()
    try:
        yield
    except BrokenPipeError:  # the reader of the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        known = outcome(error, config_name, overrides, config)
        if known is None:
            raise
        end(*known)


@contextlib.contextmanager
def whole_exit() -> Iterator[None]:
    """End one of several processes of a training with the block's exit code before Python is taken down.

    Torch's caches keep groups of processes alive till then, and freeing a group that late may abort the process.
    """
    code = 0
    try:
        yield
    except SystemExit as error:
        if not is_one_of_several() or not isinstance(error.code, int):
            raise
        code = error.code
    if is_one_of_several():
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def outcome(
    error: BaseException, config_name: str | None = None, overrides: Sequence[str] = (), config: Any = None
) -> tuple[int, str] | None:
    """Return the exit code and the message of an error that the zoo knows; None for any other.

    Args:
        error: what ended a command or a job.
        config_name: the file in conf/, where its `overrides` may be wrong.
        overrides: of Hydra.
        config: what was composed, if anything was.
    """
    from zoo.core.errors import EXIT_LOST_PROCESS, DivergedError, InterruptedTraining, LostProcessError, UserError
    from zoo.settings.mistakes import explain

    if isinstance(error, DivergedError):
        return 3, str(error)
    if isinstance(error, LostProcessError):
        return EXIT_LOST_PROCESS, str(error)
    if isinstance(error, InterruptedTraining):
        return 128 + error.signum, str(error)
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, UserError):
        return 2, str(error)
    message = _of_system(error, config) or explain(error, config_name, overrides)
    return None if message is None else (2, message)


def end(code: int, message: str) -> None:
    """Print at most five lines and end the process."""
    from zoo.core.console import echo

    echo("\n".join(message.strip().splitlines()[:5]), file=sys.stderr)
    sys.exit(code)


def _of_system(error: BaseException, config: Any) -> str | None:
    """Return what is missing: a package, a file or memory."""
    from hydra.errors import HydraException

    package = _missing_package(error)
    if package:
        return f"{package}\n{install_command(package)}"
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return _of_file(error)
    if isinstance(error, MemoryError | RuntimeError) and OUT_OF_MEMORY.search(str(error)):
        return _less_memory(str(error), config)
    return None


def _of_file(error: OSError) -> str:
    """Return what is wrong with which file, and how to write elsewhere where that may help."""
    path = str(error.filename or "a file")
    path = os.path.dirname(path) if path.endswith(TEMPORARY_SUFFIX) else path
    line = f"{path}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EROFS):
        line += "\nto write elsewhere: run_dir=FOLDER for a training, output=FILE for predictions"
    return line


def _missing_package(error: BaseException | None) -> str | None:
    """Return the first line of a failed import among an error and its causes."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    return str(error).splitlines()[0] if error else None


def _less_memory(text: str, config: Any) -> str:
    """Return how to train in less memory, with numbers where the config has them."""
    from omegaconf import OmegaConf

    request = re.search(r"to allocate ([\d.]+ \w+)", text, re.IGNORECASE)
    lack = f"out of memory, asked for {request[1]}" if request else "out of memory"
    size, n = (OmegaConf.select(config, key) for key in (BATCH_SIZE, ACCUMULATE)) if config else (None, None)
    if not isinstance(size, int) or not isinstance(n, int):
        return f"{lack}; halve {BATCH_SIZE} and double {ACCUMULATE}, or take device=cpu"
    if size == 1:
        return f"{lack} with {BATCH_SIZE}=1; take a smaller model"
    return f"{lack}; halve the batch and accumulate two: {BATCH_SIZE}={-(-size // 2)} {ACCUMULATE}={2 * n}"
