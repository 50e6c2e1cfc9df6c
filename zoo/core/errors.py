"""The ways a command ends early: the user's mistake, a training that diverged, was stopped, or lost a process."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from zoo.core.console import printable


class UserError(Exception):
    """A mistake of the user's. The message states the rule, the offending value and the fix.

    Scripts print the message, without a traceback, and exit with 2. Control characters in it are shown as escapes.
    """

    def __init__(self, message: object = ""):
        super().__init__(printable(str(message)))


class DivergedError(RuntimeError):
    """Weights, a loss or a metric became NaN or infinite, after they did so `times` before. Scripts exit with 3."""

    def __init__(self, message: str, times: int = 0):
        super().__init__(message)
        self.times = times


class InterruptedTraining(Exception):
    """Training was stopped by signal `signum`, after a checkpoint was saved. Scripts exit with 128 + signum."""

    def __init__(self, signum: int, checkpoint: str):
        super().__init__(f"interrupted by signal {signum}; saved {checkpoint}; go on with resume=auto")
        self.signum = signum


EXIT_LOST_PROCESS = 4  # the exit code of a training of several processes that lost one


class LostProcessError(RuntimeError):
    """Another process of this training ended before it was done, such as one that was killed. Scripts exit with 4."""

    def __init__(self, how: str):
        super().__init__(
            f"another process of this training is gone: {how}\n"
            "the system may have killed it, as it does when memory runs out; resume=auto goes on from what was saved"
        )


def unknown_name(kind: str, name: object, names: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest that do.

    >>> print(unknown("model", "cnnn", ["cnn", "rnn", "fnn"]))
    no model 'cnnn'; the nearest: cnn, rnn, fnn
    """
    name, names = str(name), sorted(map(str, names))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"the nearest: {', '.join(close)}" if close else f"there are: {', '.join(names[:12]) or 'none'}"
    return UserError(f"no {kind} '{name}'; {hint}")


def missing_file(path: Path) -> UserError:
    """The error for a path where there is nothing, with the nearest names in its folder."""
    if not path.parent.is_dir():
        return UserError(f"no file {path}: there is no folder {path.parent}")
    return UserError(
        f"{unknown_name('file', path.name, (other.name for other in path.parent.iterdir()))} in {path.parent}"
    )
