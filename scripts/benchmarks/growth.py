"""Growth of an epoch's time and memory with the size of the data.

Each row is an exponent, fitted by least squares in log-log space to the larger half of the sizes, and its limit.
Memory is what a training and its data add to the libraries and a small training before it. Each size is measured in a
separate process.
"""

import resource
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._measure import Measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmarks._case import Case

Points = Sequence[tuple[float, float]]
SIZES = {
    "rows": (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    "features": (10, 30, 100, 300, 1000),
    "steps of a sequence": (10, 30, 100, 300, 1000),
    "classes": (2, 10, 30, 100, 300, 1000),
}
LIMIT = 1.1
LEAST = 1.0  # MiB; smaller amounts of memory are below the resolution


@dataclass(frozen=True)
class Growth(Measure):
    """An exponent, with the sizes and values that it was fitted to."""

    points: Points = ()


def measure() -> Iterator[Growth]:
    for axis, sizes in SIZES.items():
        seconds, memory = zip(*(_apart(axis, size) for size in sizes), strict=True)
        yield growth(f"seconds over {axis}", sizes, seconds)
        yield growth(f"MiB over {axis}", sizes, memory)


def growth(name: str, sizes: Sequence[float], values: Sequence[float]) -> Growth:
    """Fit the exponent of `values` measured at `sizes`."""
    points = list(zip(sizes, values, strict=True))
    return Growth(name, [exponent(larger_half(points))], [LIMIT], "exponent", 1.0, points)


def larger_half(points: Points) -> Points:
    """Return the points of the larger sizes."""
    return points[len(points) // 2 :]


def exponent(points: Points) -> float:
    """Return the slope of the line through `points` in log-log space."""
    sizes, values = np.log(points).T
    return float(np.polyfit(sizes, values, 1)[0])


def _apart(axis: str, size: int) -> tuple[float, float]:
    """Call `cost` in a fresh process with the libraries already imported."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks._cases"])
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(cost, axis, size).result()


def cost(axis: str, size: int) -> tuple[float, float]:
    """Measure the seconds of the fastest epoch's steps and the MiB of memory, on the GPU if there is one."""
    from benchmarks._trainings import ours

    ours(case(axis, SIZES[axis][0]))
    before = _peak()
    times = ours(case(axis, size))
    return min(times.settled), max(times.memory or _peak() - before, LEAST)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # MiB


def case(axis: str, size: int) -> "Case":
    """Create a training whose data have `size` along `axis`."""
    from benchmarks._cases import random_sequences, sequence_case, table_case

    if axis == "steps of a sequence":
        return sequence_case("rnn/lstm", random_sequences(64, size), n_epochs=3)
    n, n_numeric, n_classes = {
        "rows": (size, 30, 10),
        "features": (10_000, size, 10),
        "classes": (10_000, 30, size),
    }[axis]
    return table_case((n_numeric, 128, 128, n_classes), n, n_epochs=3, batch_size=256)


def draw(figure: "Figure", measures: Sequence[Growth]) -> None:
    """Draw a small log-log chart per exponent, with the fitted line dashed."""
    from matplotlib.ticker import EngFormatter, LogLocator

    from zoo.core.drawing import BLUE, INK

    figure.set_size_inches(9, 4.4)
    charts = figure.subplots(2, -(-len(measures) // 2), squeeze=False).T.flat
    for axes, measure in zip(charts, measures, strict=False):
        quantity, _, axis = measure.name.partition(" over ")
        axes.loglog(*zip(*measure.points, strict=True), color=BLUE, marker="o", ms=3)
        sizes, values = np.array(larger_half(measure.points)).T
        line = sizes ** measure.ours[0]
        axes.plot(sizes, line * statistics.geometric_mean(values / line), color=INK, lw=0.8, ls="--")
        axes.set(xlabel=axis, ylabel=quantity, title=f"exponent {measure.ours[0]:.2f}")
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
