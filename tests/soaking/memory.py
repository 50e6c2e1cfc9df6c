"""Measure the memory of long trainings, each in a separate process."""

import gc
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from soaking.kills import config_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 400  # samples of a training's memory
SMALL = {"fnn": 16, "cnn": 500, "rnn": 32}  # batch sizes that make an epoch short


class Follow(Callback):
    """Records the process's memory in MiB at regular steps, and the run folder's size after the last."""

    def __init__(self, every: int):
        self.every, self.steps, self.mib = every, [0], [_mib()]

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.global_step >= self.steps[-1] + self.every:
            gc.collect()
            self.steps.append(trainer.global_step)
            self.mib.append(_mib())


def soak(steps: int, epochs: int) -> dict[str, Any]:
    """Train each family for `epochs`, and a feedforward network for `steps`, and fit the growth of memory.

    Returns:
        For each training: steps, MiB at each, growth in MiB per 1,000 steps after the first tenth, and the size of the
        run folder in MiB.
    """
    found = {}
    for name, family, n in [
        *((f"{family}, {epochs} epochs", family, epochs) for family in SMALL),
        (f"fnn, {steps:,} steps", "fnn", -(-steps // 22)),
    ]:
        with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as process:
            training = found[name] = process.submit(_followed, family, n).result()
        print(
            f"{name}: {training['steps'][-1]:,} steps, {training['MiB'][1]:.0f} to {training['MiB'][-1]:.0f} MiB, "
            f"{training['MiB a 1,000 steps']:+.2f} a 1,000 steps, run folder {training['run folder MiB']:.1f} MiB",
            flush=True,
        )
    return {"trainings": found}


def _followed(family: str, epochs: int) -> dict[str, Any]:
    import zoo

    config = config_of(family, f"data.batch_size={SMALL[family]}", f"trainer.max_epochs={epochs}")
    settings = {key: value for key, value in config.items() if key != "callbacks"}
    settings["trainer"] = {**config["trainer"], "save_every": 5}
    torch.set_num_threads(1)
    n_steps = epochs * -(-len(zoo.load_data(config["data"]["name"]).train) // SMALL[family])  # type: ignore[arg-type]
    follow = Follow(max(n_steps // SAMPLES, 1))
    with tempfile.TemporaryDirectory() as folder:
        zoo.train(settings, folder, [follow])
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 2**20
    return {
        "steps": follow.steps,
        "MiB": [round(value, 2) for value in follow.mib],
        "MiB a 1,000 steps": round(1000 * _slope(follow.steps, follow.mib), 3),
        "run folder MiB": round(size, 2),
    }


def _slope(steps: Sequence[int], mib: Sequence[float]) -> float:
    """Fit the slope after the first tenth, which includes one-time allocations."""
    first = len(steps) // 10 + 1
    return float(np.polyfit(steps[first:], mib[first:], 1)[0])


def _mib() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def draw(figure: "Figure", found: dict[str, Any]) -> None:
    """Plot the growth of memory since the first epoch over the progress of each training."""
    figure.set_size_inches(6.4, 3.4)
    axes = figure.add_subplot()
    for name, training in found["trainings"].items():
        share = np.array(training["steps"][1:]) / training["steps"][-1]
        axes.plot(
            share,
            np.array(training["MiB"][1:]) - training["MiB"][1],
            label=f"{name} ({training['MiB a 1,000 steps']:+.2f} MiB a 1,000 steps)",
        )
    axes.set(xlabel="share of the training", ylabel="growth of resident memory, MiB")
    axes.margins(y=0.6)
    axes.legend(loc="upper left", fontsize=7)
