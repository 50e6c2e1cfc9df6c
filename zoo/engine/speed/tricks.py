"""The tricks by name, and which of them are on."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from zoo.core.errors import UserError, unknown_name
from zoo.engine.speed.bare_steps import bare_steps
from zoo.engine.speed.cuda_check import cuda_check
from zoo.engine.speed.cuda_graphs import cuda_graphs
from zoo.engine.speed.fit import Fit
from zoo.engine.speed.malloc import malloc
from zoo.engine.speed.step_groups import step_groups

TRICKS: Mapping[str, Callable[[Fit], AbstractContextManager[None]]] = {
    "step_groups": step_groups,
    "bare_steps": bare_steps,
    "malloc": lambda _: malloc(),
    "cuda_check": lambda _: cuda_check(),
    "cuda_graphs": cuda_graphs,
}
NOT_MEASURED = ("cuda_graphs",)  # not in "all"
ALL = [name for name in TRICKS if name not in NOT_MEASURED]


def check_tricks(names: str | Sequence[str]) -> Sequence[str]:
    """The names of the tricks that `trainer.tricks` switches on; UserError for others."""
    if names == "all":
        return ALL
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise UserError(f"trainer.tricks is all, or a list such as [step_groups,malloc]; got {names}")
    for name in names:
        if name not in (*TRICKS, "all"):
            raise unknown_name("trick", name, TRICKS)
    return [trick for name in names for trick in (ALL if name == "all" else [name])]


@contextlib.contextmanager
def speed_up(names: str | Sequence[str], fit: Fit) -> Iterator[None]:
    """Fit faster within the context, to the same bits, by the tricks of `trainer.tricks`."""
    with contextlib.ExitStack() as stack:
        for name in check_tricks(names):
            stack.enter_context(TRICKS[name](fit))
        yield
