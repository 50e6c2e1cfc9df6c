"""Five seeds of one recipe, trained at once as one batched model, against one process after the other.

Seconds of the whole command, until its last file is written.
"""

import tempfile
from collections.abc import Iterator

from benchmarks._measure import Measure, in_turn
from benchmarks.startup import command

SEEDS = (0, 1, 2, 3, 4)


def measure() -> Iterator[Measure]:
    for name, *settings in (
        ("model=fnn/mlp",),
        ("model=fnn/mlp", "data=digits"),
        ("model=cnn/lenet5", "trainer.max_epochs=2"),
    ):
        at_once, apart = in_turn(lambda: train(name, settings, [SEEDS]), lambda: train(name, settings, SEEDS), 1)  # noqa: B023
        yield Measure(" ".join([name, *settings]), at_once, apart, "s")


def train(name: str, settings: list[str], jobs: "tuple[int, ...] | list[tuple[int, ...]]") -> float:
    """Return the total seconds of a command per job; a job is one seed or several."""
    total = 0.0
    for job in jobs:
        seeds = f"seed={job}" if isinstance(job, int) else f"seeds={list(job)}".replace(" ", "")
        with tempfile.TemporaryDirectory() as folder:
            total += command("train", name, *settings, seeds, f"run_dir={folder}/run")
    return total
