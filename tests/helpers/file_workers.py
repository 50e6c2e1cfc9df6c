"""Functions of files for worker processes. Imports no torch, so that they start fast."""

import os
import signal

from zoo.core.errors import UserError


def refuse_sevens(path):
    if path.name.endswith("7"):
        raise UserError(path.name)
    return path.name


def kill_this_process(path):
    os.kill(os.getpid(), signal.SIGKILL)
