"""The end of a training of several processes one of which was killed: a message and an exit code, and no hang."""

import os
import re
import sys
import threading
import time
from typing import Any

import torch
from lightning.fabric.strategies.launchers import subprocess_script

from zoo.core.console import echo
from zoo.core.errors import EXIT_LOST_PROCESS, LostProcessError
from zoo.core.system import process_exists

GRACE = 5.0  # seconds in which this process may end by itself, as all do on a signal or a mistake
PARENT = "ZOO_PARENT"  # names the process that started this one to train with it
TOLD = re.compile("gloo|nccl|connection (closed|reset)|broken pipe", re.IGNORECASE)


def lost_process(error: BaseException) -> LostProcessError | None:
    """What to raise in place of an error of the communication between processes; None for any other error."""
    if not isinstance(error, torch.distributed.DistError) and not TOLD.search(str(error)):
        return None
    cause = re.sub(r"^\[\S*\] ", "", str(error)).splitlines()[0].partition(". ")[0]
    return LostProcessError(f"its connection failed ({cause:.150})")


def watch_processes() -> None:
    """End this process where one that it started, or that started it, to train together ended early: it might wait for
    that one's answer for ever."""
    subprocess_script._ChildProcessObserver._terminate_all = _end_all  # type: ignore[assignment, method-assign]
    parent = int(os.environ.get(PARENT, 0))
    started_by_it = parent and (os.getppid() == parent or not process_exists(parent))
    if started_by_it and os.environ.get("LOCAL_RANK", "0") != "0":
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    os.environ[PARENT] = str(os.getpid())


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    _end("the first one ended")


def _end_all(observer: Any) -> None:
    """In place of Lightning's, which kills all without a word."""
    codes = [process.returncode for process in observer._child_processes if process.returncode]
    _end(f"it ended with {codes[0]}", observer._child_processes)


def _end(how: str, others: Any = ()) -> None:
    time.sleep(GRACE)
    for process in others:
        process.kill()
    try:
        echo(LostProcessError(how), file=sys.stderr, flush=True)
    finally:  # also where nobody reads it any more
        os._exit(EXIT_LOST_PROCESS)
