"""Rows of the table, and timing that cancels slow drift of the machine."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Measure:
    """One row of a benchmark.

    Args:
        name: what was measured.
        ours: the zoo's values, in `unit`, of several runs.
        reference: values to compare with: of hand-written code, of another library, or a target.
        unit: such as "s"; one that ends in "/s" is a rate, where higher is better.
        goal: upper limit of the ratio ours / reference; for a rate its lower limit.
    """

    name: str
    ours: Sequence[float]
    reference: Sequence[float]
    unit: str
    goal: float | None = None

    @property
    def row(self) -> dict[str, Any]:
        """The medians, their ratio, and the range of ours, as plain values."""
        from zoo.core.formatting import format_number

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
        from zoo.core.formatting import format_number

        return [format_number(value) if isinstance(value, float) else value or "" for value in self.row.values()]


def against_target(name: str, values: Sequence[float], unit: str, target: float) -> Measure:
    """Create a row whose reference is a target, because there is nothing to compare with."""
    return Measure(name, values, [target], unit, goal=1.0)


def rounded(value: float) -> float:
    """Round to four significant digits."""
    return float(f"{value:.4g}")


def in_turn(ours: Callable[[], T], reference: Callable[[], U], n_rounds: int = 3) -> tuple[list[T], list[U]]:
    """Run both in several rounds, with `reference` before and after `ours`, and return their results."""
    results, references = [], []
    for _ in range(n_rounds):
        references.append(reference())
        results.append(ours())
        references.append(reference())
    return results, references


def timed(task: Callable[[], Any], n: int = 3) -> list[float]:
    """Return the seconds of each of `n` calls, after a warm-up call."""
    task()
    return [seconds(task) for _ in range(n)]


def seconds(task: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    start = now()
    task()
    return now() - start


def now() -> float:
    """Return the time in seconds, after synchronising the GPU if one is in use."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()
