"""Run several steps per Lightning call."""

from collections.abc import Sequence

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import SingleDeviceStrategy

from zoo.core.errors import UserError
from zoo.data.module import ZooDataModule
from zoo.engine.families import ZooModule

GROUP_SECONDS, GROUP_STEPS = 0.1, 32  # how long a group of steps may take, and how many it may be
PER_SECOND = 5e9  # multiply-adds of a core in a training step


def group_steps(
    trainer: L.Trainer, module: ZooModule, data: ZooDataModule, callbacks: Sequence[Callback], work: int
) -> None:
    """Let short steps be taken several at once, as Lightning's own work for a batch, about a millisecond, is then done
    once for all of them. Results do not change. Where anything counts or follows single batches, each stays alone.

    Args:
        trainer: of the training.
        module: told whether it updates the weights by itself.
        data: told how many batches make a group.
        callbacks: not the zoo's own.
        work: multiply-adds of a batch.
    """
    every = trainer.val_check_interval  # after so many batches, or a share of them if it is a float
    if isinstance(every, int) and module.accumulate > 1:
        trainer.val_check_interval = _in_groups(every, module.accumulate)
    module.on_its_own = (
        isinstance(trainer.strategy, SingleDeviceStrategy)
        and getattr(trainer.precision_plugin, "scaler", None) is None
        and isinstance(every, float)
        and every == 1
        and trainer.max_steps == -1
        and not any(_follows_batches(callback) for callback in callbacks)
    )
    seconds = 1e-3 + work / PER_SECOND
    n = max(1, min(int(GROUP_SECONDS / seconds), GROUP_STEPS)) if module.on_its_own else 1
    data.at_once = n * module.accumulate
    if trainer.limit_train_batches:  # the data give no more, as Lightning would count groups
        data.limit, trainer.limit_train_batches = trainer.limit_train_batches, 1.0


def _in_groups(n: int, accumulate: int) -> int:
    """`n` batches in groups of `accumulate`."""
    if n % accumulate:
        raise UserError(
            "a validation follows an update: trainer.val_check_interval is a multiple of "
            f"trainer.accumulate_grad_batches={accumulate}; got {n}"
        )
    return n // accumulate


def _follows_batches(callback: Callback) -> bool:
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in BATCH_HOOKS)


BATCH_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
