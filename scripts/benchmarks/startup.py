"""Startup: commands in fresh processes with a warm disk cache, against `import torch` alone, side by side. Goals: help
and lists 0.5 s, to the first step of a training twice `import torch`, one row predicted 1.3 times, or 1 ms when loaded.

ZOO_BEFORE=FOLDER, an older checkout, adds a row of it before each command's.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from benchmarks._measure import Measure, against_target, in_turn, seconds

SCRIPTS = Path(__file__).resolve().parent.parent
NAME = "fnn/mlp.breast_cancer"
RUN, ROW = "run_dir={folder}/run", "input={folder}/row.csv"
COMMANDS = {  # the words, and the limit of their time: seconds
    "--help": (["--help"], 0.5),
    "train --help": (["train", "--help"], 0.5),
    "list": (["list"], 0.5),
}
AGAINST_TORCH = {  # the words, and the limit of their time: a multiple of import torch
    "train model=fnn, to its first step": (["train", "model=fnn/mlp", RUN, "+callbacks.end._target_={end}"], 2.0),
    "train model=fnn, whole": (["train", "model=fnn/mlp", RUN], None),
    "predict one row": (["predict", f"weights={NAME}", ROW], 1.3),
}


def measure(n: int = 5) -> Iterator[Measure]:
    before = os.environ.get("ZOO_BEFORE")
    roots = {"before: ": Path(before)} if before else {}
    for label, root in {**roots, "": SCRIPTS.parent}.items():
        for name, (words, limit) in COMMANDS.items():
            yield against_target(f"{label}zoo {name}", [command(*words, root=root) for _ in range(n)], "s", limit)
    for name, (words, goal) in AGAINST_TORCH.items():
        for label, root in {**roots, "": SCRIPTS.parent}.items():
            yield against_torch(f"{label}zoo {name}", words, goal, root, n)
    yield against_target("a row answered by a loaded predictor", [1e3 * one for one in row_seconds()], "ms", 1.0)


def against_torch(name: str, words: list[str], goal: float | None, root: Path, n: int) -> Measure:
    """Measure a command of the checkout `root` and, before and after it, `import torch`."""
    ours, imports = in_turn(lambda: command(*words, root=root), lambda: python(root, "-c", "import torch"), n)
    return Measure(f"{name}: import torch", ours, imports, "s", goal)


def command(*words: str, root: Path = SCRIPTS.parent) -> float:
    """Return the seconds of a command of the zoo in the checkout `root`, with what it leaves in a folder that is
    deleted."""
    with tempfile.TemporaryDirectory() as folder:
        values = one_row().values()
        Path(folder, "row.csv").write_text(f"{','.join(one_row())}\n{','.join(map(str, values))}\n")
        end = f"{EndAtFirstStep.__module__}.EndAtFirstStep"
        return python(root, "-m", "zoo", *(word.format(folder=folder, end=end) for word in words))


def python(root: Path, *arguments: str) -> float:
    """Return the seconds of a Python process that imports the zoo from `root`."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(SCRIPTS)])}
    words = [sys.executable, *arguments]
    return seconds(lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=env, cwd=root))


@cache
def one_row() -> dict[str, float]:
    """Return a row of the test split, by column name."""
    import zoo

    splits: Any = zoo.load_data("breast_cancer")
    return dict(zip(splits.spec.column_names, splits.test.columns["numeric"][0].tolist(), strict=True))


def row_seconds(n: int = 200) -> list[float]:
    """Return the seconds of each of `n` predictions of one row, after a first one."""
    import zoo

    predictor, row = zoo.load(NAME), one_row()
    predictor.predict(row)
    return [seconds(lambda: predictor.predict(row)) for _ in range(n)]


class EndAtFirstStep(Callback):
    """Ends the process when the first batch arrives."""

    def on_train_batch_start(self, *_: Any) -> None:
        os._exit(0)
