"""Learning-rate schedules by name."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from zoo.core.errors import UserError, unknown_name
from zoo.core.registry import Registry

SCHEDULES: Registry[Callable[..., float]] = Registry("schedule", "SCHEDULES")


def create_schedule(optimizer: Optimizer, n_steps: int, *, name: str, warmup: float, **options: Any) -> LambdaLR:
    """A factor on every learning rate, as a function of the step.

    Args:
        optimizer: whose rates to schedule.
        n_steps: steps of the whole training.
        name: "constant", "cosine", "one_cycle" or "step".
        warmup: share of the training in which the rate rises linearly from 0; one_cycle has a rise of its own.
        options: the schedule's own.
    """
    if not 0 <= warmup < 1:
        raise UserError(f"optim.schedule.warmup is a share of the training, at least 0 and below 1; got {warmup}")
    if warmup and name == "one_cycle":
        raise UserError(
            "one_cycle rises by itself; leave optim.schedule.warmup at 0, or take optim.schedule.name=cosine"
        )
    schedule = SCHEDULES.get(name)
    known = set(schedule.__annotations__) - {"progress", "return"}
    for option in options:
        if option not in known:
            raise unknown_name(f"option of schedule {name}", option, known)

    def factor(step: int) -> float:
        progress = (step + 1) / (n_steps + 1)  # in (0, 1): the first and the last step both move
        if progress < warmup:
            return progress / warmup
        return schedule((progress - warmup) / (1 - warmup), **options)

    try:
        return LambdaLR(optimizer, factor)
    except TypeError as error:
        raise UserError(f"optim.schedule.name={name}: {error}") from error


@SCHEDULES.register("constant")
def constant(progress: float) -> float:
    """The same rate throughout."""
    return 1.0 + 0.0 * progress


@SCHEDULES.register("cosine")
def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (arXiv 1608.03983, without restarts)."""
    return (1 + math.cos(math.pi * min(progress, 1))) / 2


@SCHEDULES.register("one_cycle")
def one_cycle(progress: float, peak: float = 0.25) -> float:
    """A straight line from 0 to 1 at `peak` of the training, then one down to 0 (arXiv 1708.07120)."""
    if not 0 < peak < 1:
        raise UserError(f"optim.schedule.peak is a share of the training, between 0 and 1; got {peak}")
    return max(min(progress / peak, (1 - progress) / (1 - peak)), 0)


@SCHEDULES.register("step")
def step(progress: float, milestones: Iterable[float] = (0.5, 0.75), gamma: float = 0.1) -> float:
    """Times `gamma` at each of the `milestones`, shares of the training."""
    return gamma ** sum(progress >= milestone for milestone in milestones)
