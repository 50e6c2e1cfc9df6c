"""The parts of one fit, which the speed optimisations are given."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import SingleDeviceStrategy

from zoo.data.module import ZooDataModule
from zoo.engine.module import ZooModule

BATCH_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


@dataclass(frozen=True)
class Fit:
    """One fit, before it starts.

    Args:
        trainer, module, data: that take part.
        callbacks: the user's.
        work: multiply-adds of a batch.
    """

    trainer: L.Trainer
    module: ZooModule
    data: ZooDataModule
    callbacks: Sequence[Callback]
    work: int

    @property
    def needs_every_batch(self) -> bool:
        """Whether Lightning has to do its own work for each batch and update: for several devices, a scaled loss, a
        validation or an end within an epoch, and callbacks that follow batches."""
        trainer = self.trainer
        return not (
            isinstance(trainer.strategy, SingleDeviceStrategy)
            and trainer.precision != "16-mixed"
            and isinstance(trainer.val_check_interval, float)
            and trainer.val_check_interval == 1
            and trainer.max_steps == -1
            and not any(map(_follows_batches, self.callbacks))
        )


def _follows_batches(callback: Callback) -> bool:
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in BATCH_HOOKS)


@contextlib.contextmanager
def replaced(module: ZooModule, **methods: Callable[..., Any]) -> Iterator[None]:
    """Let functions take the place of a module's methods, within the context."""
    for name, method in methods.items():
        setattr(module, name, method)
    try:
        yield
    finally:
        for name in methods:
            delattr(module, name)
