"""Exceptions by which a command ends early: a user's mistake, divergence, a signal, or a lost process."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from zoo.core.console import printable


class UserError(Exception):
    """A mistake of the user. The message states the rule, the offending value and the fix.

    Commands print the message without a traceback and exit with 2. Control characters in it are escaped.
    """

    def __init__(self, message: object = ""):
        super().__init__(printable(str(message)))


class DivergedError(RuntimeError):
    """Weights, a loss or a metric became NaN or infinite, after having done so `times` before. Commands exit with 3."""

    def __init__(self, message: str, times: int = 0):
        super().__init__(message)
        self.times = times


class InterruptedTraining(Exception):
    """Training was stopped by signal `signum` after saving a checkpoint. Commands exit with 128 + signum."""

    def __init__(self, signum: int, checkpoint: str):
        super().__init__(f"interrupted by signal {signum}; saved {checkpoint}; resume with resume=auto")
        self.signum = signum


EXIT_LOST_PROCESS = 4  # exit code of a distributed training that lost a process


class LostProcessError(RuntimeError):
    """Another process of a distributed training ended early, such as one that was killed. Commands exit with 4."""

    def __init__(self, how: str):
        super().__init__(
            f"another process of this training is gone: {how}\n"
            "the system may have killed it, as it does when memory runs out; resume=auto continues from the checkpoint"
        )


def unknown_name(kind: str, name: object, names: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest ones.

    >>> print(unknown_name("model", "cnnn", ["cnn", "rnn", "fnn"]))
    no model 'cnnn'; the nearest: cnn, rnn, fnn
    """
    name, names = str(name), sorted(set(map(str, names)))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"the nearest: {', '.join(close)}" if close else f"there are: {', '.join(names[:12]) or 'none'}"
    return UserError(f"no {kind} '{name}'; {hint}")


def missing_file(path: Path) -> UserError:
    """The error for a file that does not exist, with the nearest names in its folder."""
    if not path.parent.is_dir():
        return UserError(f"no file {path}: there is no folder {path.parent}")
    where = "this folder" if path.parent == Path() else path.parent
    return UserError(f"{unknown_name('file', path.name, (other.name for other in path.parent.iterdir()))} in {where}")
