"""Draw the partial dependence of an answer on a column of a table, as SVG."""

from typing import TYPE_CHECKING, Any

from zoo.core.drawing import BLUE, INK, ORANGE, svg
from zoo.inference.importance_chart import short
from zoo.inference.partial_dependence import PartialDependence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_ROWS = 30  # lines of single rows
COLOURS = BLUE, ORANGE, "#4c9a5b", "#9467bd", "#8c6d31"  # of the answers
WIDTH, HEIGHT = 3.05, 2.3  # inches; three in a row fit a report


def draw_dependence(one: PartialDependence) -> str:
    """Draw the mean answer for each value of a column: bars from their mean for categories, else a line, with a faint
    one for each row."""
    label = f"{_unit(one)} against {one.column.name}"
    if one.column.kind == "categorical":
        return svg(label, WIDTH, max(0.9 + 0.19 * len(one.values), 1.5), lambda axes: _categories(axes, one))
    return svg(label, WIDTH, HEIGHT, lambda axes: _line(axes, one))


def _line(axes: "Axes", one: PartialDependence) -> None:
    values: Any = one.values
    if one.column.kind == "date":
        import numpy as np
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        values = (np.asarray(one.values) * 86400).round().astype("datetime64[s]")
        locator = AutoDateLocator(minticks=2, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axes.locator_params(axis="x", nbins=5)
    if len(one.names) == 1:
        axes.plot(values, one.rows[:N_ROWS].T, color=INK, lw=0.5, alpha=0.18)
    for name, mean, color in zip(one.names, one.mean.T, COLOURS, strict=False):
        axes.plot(values, mean, color=color, lw=1.8, label=short(name, 20), marker="o" * (len(values) < 4), ms=4)
    low, _ = axes.get_ylim()
    axes.plot(values, [low] * len(values), "|", color=INK, ms=5, alpha=0.5, clip_on=False)  # where the values are
    axes.set_ylim(bottom=low)
    axes.set(xlabel=short(one.column.name, 44), ylabel=short(_unit(one), 36))
    _legend(axes, one)


def _categories(axes: "Axes", one: PartialDependence) -> None:
    places = range(len(one.values))
    if len(one.names) == 1:
        centre = float(one.mean.mean())
        axes.barh(places, one.mean[:, 0] - centre, left=centre, color=BLUE, height=0.7)
        axes.axvline(centre, color=INK, lw=0.8)
    else:
        for name, mean, color in zip(one.names, one.mean.T, COLOURS, strict=False):
            axes.plot(mean, places, "o", color=color, ms=4, label=short(name, 20))
    axes.set_yticks(places, [short(str(value), 22) for value in one.values])
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="y", length=0)
    left_out = f"\n({len(places)} most frequent of {one.n_values} values)" * (one.n_values > len(places))
    axes.set(ylim=(len(places) - 0.4, -0.6), xlabel=short(_unit(one), 36) + left_out)
    axes.set_title(short(one.column.name, 44), fontsize=9, loc="left")
    _legend(axes, one)


def _legend(axes: "Axes", one: PartialDependence) -> None:
    if len(one.names) > 1:
        left_out = f"{len(one.names)} of {one.n_answers}" if one.n_answers > len(one.names) else None
        axes.legend(fontsize=7, title=left_out, title_fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


def _unit(one: PartialDependence) -> str:
    return f"probability of {one.names[0]}" if one.unit == "probability" and len(one.names) == 1 else one.unit
