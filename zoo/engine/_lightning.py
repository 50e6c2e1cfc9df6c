"""Every private or undocumented name of Lightning and torch that training relies on, each in a function of its own.

tests/test_private_names.py holds one test for each, which fails first when a new version changes it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.fabric.strategies.launchers import subprocess_script

Checkpoint = dict[str, Any]

# -- where a training is


def batches_done(trainer: L.Trainer) -> int:
    """Batches of the present epoch that are done, as Lightning counts them. Promise: a resume in mid-epoch starts at
    the first batch that was not trained on."""
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    return progress.current.processed


def saved_epochs_done(checkpoint: Checkpoint) -> int:
    """Epochs that were done when a checkpoint was saved. Promise: a resume with fewer epochs than are done
    is refused."""
    return checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]


def saved_batches_done(checkpoint: Checkpoint) -> int:
    """`batches_done` when a checkpoint was saved. Promise: as of `set_saved_batches_done`."""
    return checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["processed"]


def set_saved_batches_done(checkpoint: Checkpoint, n: int) -> None:
    """Change `saved_batches_done`; whether the last one's hooks had ended stays. Promise: checkpoints count single
    batches, so that a resume may group them in another way, or not at all."""
    loop = checkpoint["loops"]["fit_loop"]
    current = loop["epoch_loop.batch_progress"]["current"]
    unfinished = current["processed"] - current["completed"]
    done = {**current, "ready": n, "started": n, "processed": n, "completed": n - unfinished}
    progress = {**loop["epoch_loop.batch_progress"], "current": done}
    checkpoint["loops"] = {**checkpoint["loops"], "fit_loop": {**loop, "epoch_loop.batch_progress": progress}}


def count_more_batches(trainer: L.Trainer, n: int) -> None:
    """Count `n` further batches, within the step of one. Promise: checkpoints and loggers count single batches, also
    where Lightning was handed several as one."""
    loop: Any = trainer.fit_loop.epoch_loop
    loop._batches_that_stepped += n
    for name in ("ready", "started", "processed", "completed"):
        setattr(loop.batch_progress.total, name, getattr(loop.batch_progress.total, name) + n)


# -- what a checkpoint restores


def moved_best(state: Mapping[str, Any], folder: str, path: str) -> dict[str, Any]:
    """The state of a ModelCheckpoint that keeps one file, with that file at `path` in `folder`. Promise: a run folder
    that was moved keeps its best epoch."""
    if not state["best_k_models"]:
        return dict(state)
    return {
        **state,
        "dirpath": folder,
        "best_model_path": path,
        "kth_best_model_path": path,
        "best_k_models": {path: state["best_model_score"]},
    }


# -- an update of the weights


@contextmanager
def counted_update(optimizer: Any) -> Iterator[None]:
    """Count a step that is made past Lightning's wrapper of an optimiser. Promise: `global_step`, the names of
    checkpoints and metrics.csv count every update."""
    optimizer._on_before_step()
    yield
    optimizer._on_after_step()


# -- the machine


def end_lost_processes(end: Callable[[list[Any]], None]) -> None:
    """Call `end` with the processes that this one started as soon as one of them has failed, where Lightning kills all
    without a message. Promise: exit code 4 and two lines when a process of a training is killed."""
    subprocess_script._ChildProcessObserver._terminate_all = lambda observer: end(observer._child_processes)  # type: ignore[method-assign, assignment]


def has_fast_bf16(on_cpu: bool) -> bool:
    """Whether the processor or the GPU computes in bfloat16 faster than in float32. Promise: `trainer.precision=auto`
    never slows a training down."""
    if on_cpu:
        return torch.cpu._is_avx512_bf16_supported()
    return torch.cuda.is_bf16_supported(including_emulation=False)


NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"  # an environment variable that Lightning sets and torch reads
