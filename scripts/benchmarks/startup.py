"""Startup time of commands, each several times in a fresh process, with a warm disk cache."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from benchmarks._measure import Measure, against_target, in_turn, seconds

SCRIPTS = Path(__file__).resolve().parent.parent
IMPORTS = ("-c", "import torch, lightning")


def measure(n: int = 5) -> Iterator[Measure]:
    yield against_target("list.py", [command("list.py") for _ in range(n)], "s", 1.0)
    yield against_target("train.py --help", [command("train.py", "--help") for _ in range(n)], "s", 1.0)
    ours, imports = in_turn(first_step, lambda: python(*IMPORTS), n)
    yield Measure("train.py model=fnn to its first step: import torch, lightning", ours, imports, "s")
    yield against_target("train.py model=fnn to its first step, beyond these imports", beyond(ours, imports), "s", 1.5)


def command(script: str, *arguments: str) -> float:
    """Return the seconds of one of the zoo's commands."""
    return python(str(SCRIPTS / script), *arguments)


def python(*arguments: str) -> float:
    """Return the seconds of a Python process."""
    env = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    return seconds(lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=env))


def first_step() -> float:
    """Return the seconds of a training until its first step."""
    with tempfile.TemporaryDirectory() as folder:
        end = f"+callbacks.end._target_={EndAtFirstStep.__module__}.EndAtFirstStep"
        return command("train.py", "model=fnn", f"run_dir={folder}/run", end)


def beyond(ours: list[float], imports: list[float]) -> list[float]:
    """Subtract from each of `ours` the mean of the two imports around it."""
    around = zip(ours, imports[::2], imports[1::2], strict=True)
    return [value - (before + after) / 2 for value, before, after in around]


class EndAtFirstStep(Callback):
    """Ends the process when the first batch arrives."""

    def on_train_batch_start(self, *_: Any) -> None:
        os._exit(0)
