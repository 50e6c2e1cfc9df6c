"""End a training whose processes lost one of them, with a message and an exit code instead of a hang."""

import os
import re
import sys
import threading
import time
from typing import Any

import torch

from zoo.core.console import echo
from zoo.core.errors import EXIT_LOST_PROCESS, LostProcessError
from zoo.core.rank_zero import PARENT
from zoo.core.system import process_exists
from zoo.engine._lightning import end_lost_processes

GRACE = 5.0  # seconds in which this process may end by itself, as all do on a signal or a mistake
CONNECTION_ERROR = re.compile("gloo|nccl|connection (closed|reset)|broken pipe", re.IGNORECASE)


def lost_process(error: BaseException) -> LostProcessError | None:
    """The error to raise for a failed connection between processes; None for any other error."""
    if not isinstance(error, torch.distributed.DistError) and not CONNECTION_ERROR.search(str(error)):
        return None
    cause = re.sub(r"^\[\S*\] ", "", str(error)).splitlines()[0].partition(". ")[0]
    return LostProcessError(f"its connection failed ({cause:.150})")


def watch_processes() -> None:
    """End this process when one that it started for this training, or that started it, has failed: it might wait for an
    answer forever."""
    end_lost_processes(_end_children)
    parent = int(os.environ.get(PARENT, 0))
    started_by_it = parent and (os.getppid() == parent or not process_exists(parent))
    if started_by_it and os.environ.get("LOCAL_RANK", "0") != "0":
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    os.environ[PARENT] = str(os.getpid())


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    _end("the first one ended")


def _end_children(children: list[Any]) -> None:
    code = next(process.returncode for process in children if process.returncode)
    _end(f"it ended with {code}", children)


def _end(how: str, children: Any = ()) -> None:
    time.sleep(GRACE)
    for process in children:
        process.kill()
    try:
        echo(LostProcessError(how), file=sys.stderr, flush=True)
    finally:  # also where nobody reads it any more
        os._exit(EXIT_LOST_PROCESS)
