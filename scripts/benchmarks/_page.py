"""A suite's page: its table in Markdown, and a picture if the suite draws one."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from benchmarks._measure import Measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_page(folder: Path, suite: ModuleType, header: str, measures: Sequence[Measure]) -> None:
    """Write `folder`/<suite>.md, and <suite>.png if the suite has a `draw`; text below the tables if it has `after`.

    Args:
        folder: created if it does not exist.
        suite: that measured.
        header: hardware and versions.
        measures: the rows of the table.
    """
    name = suite.__name__.rpartition(".")[2]
    folder.mkdir(parents=True, exist_ok=True)
    picture = ""
    if hasattr(suite, "draw"):
        save_picture(folder / f"{name}.png", lambda figure: suite.draw(figure, measures))
        picture = f"![{name}]({name}.png)\n\n"
    after = f"\n{suite.after(measures)}" if hasattr(suite, "after") else ""
    title = f"# Benchmark: {name}\n\n{(suite.__doc__ or '').strip()}\n\n"
    command = f"Written by `python scripts/benchmark.py {name} docs=docs/benchmarks` on:\n{header}\n\n"
    (folder / f"{name}.md").write_text(title + command + picture + markdown(measures) + after)


def markdown(measures: Sequence[Measure]) -> str:
    """Format the rows as tables, one for each kind of row."""
    return "\n".join(_table(list(rows)) for _, rows in groupby(measures, type))


def _table(measures: Sequence[Measure]) -> str:
    header = [*measures[0].row]
    lines = [header, ["---"] * len(header), *(measure.cells for measure in measures)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def save_picture(path: Path, draw: Callable[["Figure"], None]) -> None:
    """Save a figure in the reports' style on white, filled by `draw`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from zoo.core.drawing import STYLE

    with rc_context(STYLE):
        figure = Figure(layout="constrained")
        draw(figure)
        figure.savefig(path, dpi=150, metadata={"Software": None})
