"""Learning-rate schedules by name: functions from progress, a share of the training, to a factor on every rate.

To add your own, write it below `@SCHEDULES.register("name")` in a folder of `zoo.add_path`.
"""

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from zoo.core.errors import UserError, unknown_name
from zoo.core.registry import Registry

SCHEDULES: Registry[Callable[..., float]] = Registry("schedule", "SCHEDULES")
COOLDOWN = 0.25  # share of a training in which the learning rate falls, if its length is not known at the start


class Progress:
    """The share of a training that is done at each step, in (0, 1): the first and the last step both move.

    Args:
        n_steps: of the whole training.
    """

    def __init__(self, n_steps: int):
        self.n_steps = n_steps
        self.begin, self.share = 0, 0.0  # the share that is done at the step `begin`, from where it grows evenly

    def __call__(self, step: int) -> float:
        return self.share + (1 - self.share) * (step - self.begin + 1) / (self.n_steps - self.begin + 1)

    def end_early(self, begin: int, end: int) -> None:
        """Jump at the step `begin` to the cooldown, unless that has begun, so as to end after the step `end`."""
        self.share = max(self(begin - 1), 1 - COOLDOWN)
        self.begin, self.n_steps = begin, end


def create_schedule(
    optimizer: Optimizer, progress: Callable[[int], float], /, *, name: str, warmup: float, **options: Any
) -> LambdaLR:
    """Schedule every learning rate of an optimiser by a factor that depends on the step.

    Args:
        optimizer: whose rates to schedule.
        progress: the share of the training that is done at a step.
        name: such as "constant", "cosine", "one_cycle", "step" or "trapezoidal".
        warmup: share of the training in which the rate rises linearly from 0; none for a schedule that rises by itself.
        options: the schedule's own; None is its default.
    """
    if not 0 <= warmup < 1:
        raise UserError(f"optim.schedule.warmup is a share of the training, at least 0 and below 1; got {warmup}")
    schedule = SCHEDULES.get(name)
    options = {option: value for option, value in options.items() if value is not None}
    known = [*inspect.signature(schedule).parameters][1:]
    for option in options:
        if option not in known:
            raise unknown_name(f"option of schedule {name}", option, known)
    if warmup and schedule(0.0, **options) == 0:
        raise UserError(f"{name} rises by itself; use optim.schedule.warmup=0, or optim.schedule.name=cosine")

    def factor(step: int) -> float:
        share = progress(step)
        if share < warmup:
            return share / warmup
        return schedule((share - warmup) / (1 - warmup), **options)

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


@SCHEDULES.register("flat_cosine")
def flat_cosine(progress: float) -> float:
    """1 for half of the training, then half a cosine to 0 (arXiv 2407.04491, section 3)."""
    return cosine(max(2 * progress - 1, 0))


@SCHEDULES.register("log_cosine")
def log_cosine(progress: float, cycles: int = 4) -> float:
    """Waves from 0 up to 1 and back to 0, each twice as long as the one before (arXiv 2407.04491, section 3)."""
    if cycles < 1:
        raise UserError(f"optim.schedule.cycles is a number of waves, at least 1; got {cycles}")
    return (1 - math.cos(2 * math.pi * math.log2(1 + (2**cycles - 1) * min(progress, 1)))) / 2


@SCHEDULES.register("one_cycle")
def one_cycle(progress: float, peak: float = 0.25) -> float:
    """A line from 0 up to 1 at `peak` of the training, then one down to 0 (arXiv 1708.07120)."""
    if not 0 < peak < 1:
        raise UserError(f"optim.schedule.peak is a share of the training, between 0 and 1; got {peak}")
    return max(min(progress / peak, (1 - progress) / (1 - peak)), 0)


@SCHEDULES.register("step")
def step(progress: float, milestones: Iterable[float] = (0.5, 0.75), gamma: float = 0.1) -> float:
    """Multiply by `gamma` at each of the `milestones`, shares of the training."""
    return gamma ** sum(progress >= milestone for milestone in milestones)


@SCHEDULES.register("trapezoidal")
def trapezoidal(progress: float, cooldown: float = COOLDOWN) -> float:
    """The same rate, then a line down to 0 in the last part of the training, the `cooldown` (arXiv 2405.18392)."""
    if not 0 < cooldown <= 1:
        raise UserError(f"optim.schedule.cooldown is a share of the training, above 0 and at most 1; got {cooldown}")
    return max(min((1 - progress) / cooldown, 1), 0)
