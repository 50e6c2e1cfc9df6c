"""Count the updates of the weights: of the whole training, and those done."""

import math
from typing import Any


def n_updates(module: Any) -> int:
    """Updates in the whole training; loads the training data where Lightning has not yet."""
    trainer: Any = module.trainer
    trainer.estimated_stepping_batches  # noqa: B018, loads the data
    n = trainer.max_epochs * updates_of_an_epoch(module)
    return n if trainer.max_steps == -1 else min(n, trainer.max_steps)


def n_updates_done(module: Any) -> int:
    """Updates up to where the training is, as if all batches had their present size.

    After a resume with another batch size, or other data, the schedule continues at the same place in the training.
    """
    trainer: Any = module.trainer
    if trainer.datamodule is None:
        return trainer.global_step
    of_this_epoch = module.batches_done() % module.n_batches()
    return trainer.current_epoch * updates_of_an_epoch(module) + math.ceil(of_this_epoch / module.accumulate)


def set_rates(module: Any) -> None:
    """Set the learning rates to the schedule's at its present place."""
    schedule = module.lr_schedulers()
    groups = zip(schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True)
    for group, lr, shape in groups:
        group["lr"] = lr * shape(schedule.last_epoch)


def place_in_epoch(n: int, n_batches: int) -> int:
    """The batches that are done of an epoch of `n_batches`, where a checkpoint with perhaps longer ones says `n`: all
    of them at an epoch's end, else fewer."""
    return n % n_batches or min(n, n_batches)


def updates_of_an_epoch(module: Any) -> int:
    """Updates in an epoch."""
    return math.ceil(module.n_batches() / module.accumulate)
