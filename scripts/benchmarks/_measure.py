"""What all suites share: a line of the table, and timing in which slow drift of the machine cancels."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Measure:
    """One line of a benchmark.

    Args:
        name: what was measured.
        ours: the zoo's values, in `unit`, of several runs.
        reference: values to compare with: of something written by hand, of another library, or the one aimed at.
        unit: such as "s"; one that ends in "/s" is a rate, of which more is better.
        goal: what the ratio of ours to the reference should not exceed, or for a rate not fall below.
    """

    name: str
    ours: Sequence[float]
    reference: Sequence[float]
    unit: str
    goal: float | None = None

    @property
    def row(self) -> dict[str, Any]:
        """Plain values: the medians and their ratio, and the range of ours."""
        from zoo.report.text import format_number

        ours, reference = statistics.median(self.ours), statistics.median(self.reference)
        sign = ">=" if self.unit.endswith("/s") else "<="
        return {
            "name": self.name,
            "ours": rounded(ours),
            "reference": rounded(reference),
            "unit": self.unit,
            "ratio": round(ours / reference, 3),
            "range": f"{format_number(min(self.ours))} to {format_number(max(self.ours))}",
            "goal": None if self.goal is None else f"{sign} {self.goal:g}",
        }

    @property
    def cells(self) -> list[str]:
        """The row as text."""
        from zoo.report.text import format_number

        return [format_number(value) if isinstance(value, float) else value or "" for value in self.row.values()]


def aimed(name: str, values: Sequence[float], unit: str, aim: float) -> Measure:
    """The line of what should stay below `aim`, for want of anything to compare with."""
    return Measure(name, values, [aim], unit, goal=1.0)


def rounded(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def in_turn(ours: Callable[[], T], reference: Callable[[], U], n_rounds: int = 3) -> tuple[list[T], list[U]]:
    """What both give in several rounds, in each of which `reference` comes before and after `ours`."""
    several, references = [], []
    for _ in range(n_rounds):
        references.append(reference())
        several.append(ours())
        references.append(reference())
    return several, references


def timed(task: Callable[[], Any], n: int = 3) -> list[float]:
    """Seconds of each of `n` calls, after one that does not count."""
    task()
    return [seconds(task) for _ in range(n)]


def seconds(task: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = now()
    task()
    return now() - start


def now() -> float:
    """A clock in seconds, read when the GPU, if there is one at work, has done what it was given."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()
