"""Charts of a report, as inline SVG."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.core.drawing import BLUE, INK, ORANGE, svg
from zoo.core.formatting import format_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]
NAMED_CLASSES = 20  # a matrix of more classes has no names and counts


def curves(label: str, lines: Mapping[str, Points], mark: float) -> str:
    """Draw lines over the epochs, with a dashed vertical one at epoch `mark`."""
    from matplotlib.ticker import MaxNLocator

    def draw(axes: "Axes") -> None:
        for name, points in lines.items():
            color = ORANGE if name == "training" else BLUE
            axes.plot(*zip(*points, strict=True), color=color, label=name, marker="o" if len(points) < 16 else "", ms=3)
        axes.axvline(mark, color=INK, lw=0.8, ls="--", alpha=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.set(xlabel="epoch", ylabel=label)
        if len(lines) > 1:
            axes.legend()

    return svg(f"{label} over the epochs", 3.15, 2.3, draw)


def confusion(counts: Tensor, names: Sequence[str]) -> str:
    """Draw a confusion matrix, counts (n_true, n_predicted), with cells shaded by their share of the row."""
    from matplotlib.ticker import MaxNLocator

    n = len(names)
    share = counts / counts.sum(1, keepdim=True).clamp(min=1)

    def draw(axes: "Axes") -> None:
        axes.imshow(_shades(share), interpolation="none")
        number = "" if n <= NAMED_CLASSES else " (number of the class)"
        axes.set(xlabel=f"predicted{number}", ylabel=f"true{number}")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        if n <= NAMED_CLASSES:
            _name_cells(axes, counts, share, names)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))

    side = min(max(1.6 + 0.36 * n, 2.8), 7.0)
    return svg("confusion matrix", side, side, draw)


def _shades(share: Tensor) -> Any:
    """Colours (n, n, 4) with the square root of the share as opacity, which keeps rare mistakes visible."""
    from matplotlib.colors import to_rgb

    colors = torch.tensor(to_rgb(ORANGE)).expand(*share.shape, 3).clone()
    colors[range(len(share)), range(len(share))] = torch.tensor(to_rgb(BLUE))
    return torch.cat([colors, share.sqrt()[..., None]], dim=-1).numpy()  # (n_true, n_predicted, 4)


def _name_cells(axes: "Axes", counts: Tensor, share: Tensor, names: Sequence[str]) -> None:
    short = [name if len(name) <= 18 else f"{name[:17]}…" for name in names]
    axes.set_xticks(range(len(names)), short, rotation=90 if len(names) * max(map(len, short)) > 24 else 0)
    axes.set_yticks(range(len(names)), short)
    for true, predicted in counts.nonzero().tolist():
        color = "white" if share[true, predicted] > 0.4 else INK
        axes.text(predicted, true, f"{counts[true, predicted]}", ha="center", va="center", color=color)


def scatter(label: str, true: Tensor, predicted: Tensor) -> str:
    """Plot predicted against true values, both (n,), with the diagonal of equality."""

    def draw(axes: "Axes") -> None:
        axes.scatter(true, predicted, s=14, color=BLUE, alpha=0.6, lw=0, rasterized=len(true) > 2000)
        low, high = (float(f(torch.cat([true, predicted]))) for f in (torch.min, torch.max))
        axes.plot([low, high], [low, high], color=INK, lw=0.8, ls="--", alpha=0.5)
        axes.set(xlabel=f"true {label}", ylabel="predicted", aspect="equal")

    return svg(f"predicted against true {label}", 4.2, 4.2, draw)


def sparkline(sequence: Tensor, last: int, low: float, high: float) -> str:
    """Plot each channel of a sequence (time, n_channels), on axes from step 0 to `last` and from `low` to `high`."""
    from matplotlib import colormaps

    shades = colormaps["plasma"](torch.linspace(0.25, 0.8, sequence.shape[1]).numpy())

    def draw(axes: "Axes") -> None:
        for channel, color in zip(sequence.T, shades, strict=True):
            axes.plot(channel, color=color, lw=1, marker="." if len(channel) == 1 else "")
        axes.set(xlim=(0, max(last, 1)), ylim=(low, high + 1e-6), xlabel="step", ylabel="value")
        axes.set(xticks=axes.get_xlim(), yticks=[low, high], yticklabels=format_column([low, high]))

    return svg("channels over the steps", 2.1, 1.5, draw)


def forecast(label: str, seen: Tensor, true: Tensor, predicted: Tensor, interval: Tensor | None = None) -> str:
    """Plot one channel of a window: its past (look_back,), what followed and the forecast, each (horizon,), with its
    interval (horizon, 2)."""

    def draw(axes: "Axes") -> None:
        ahead, marker = range(len(true)), "o" * (len(true) < 16)
        axes.plot(range(-len(seen), 0), seen, color=INK, lw=1, alpha=0.6)
        if interval is not None:
            axes.fill_between(ahead, *interval.T, color=BLUE, alpha=0.2, lw=0)
        axes.plot(ahead, true, color=INK, lw=1, ls=":", label="true", marker=marker, ms=3)
        axes.plot(ahead, predicted, color=BLUE, lw=1.4, label="forecast", marker=marker, ms=3)
        axes.axvline(-0.5, color=INK, lw=0.6, ls="--", alpha=0.5)
        axes.set(xlabel="step", ylabel=label)
        axes.legend()

    return svg(f"forecast of {label}", 3.9, 2.1, draw)


def by_step(label: str, lines: Mapping[str, Tensor]) -> str:
    """Plot an error at each step of the horizon (horizon,), as a line for each named forecast."""

    def draw(axes: "Axes") -> None:
        for (name, errors), color in zip(lines.items(), (BLUE, ORANGE), strict=False):
            axes.plot(range(1, len(errors) + 1), errors, color=color, label=name, marker="o" * (len(errors) < 16), ms=3)
        axes.set(xlabel="steps ahead", ylabel=label, ylim=(0, None))
        axes.legend()

    return svg(f"{label} at each step", 3.9, 2.3, draw)


def against_diagonal(x: str, y: str, lines: Mapping[str, Points]) -> str:
    """Plot shares against those that are wanted, each from 0 to 1, as a line for each name, and the diagonal of
    equality."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls="--", alpha=0.5)
        for (name, points), color in zip(lines.items(), (BLUE, ORANGE), strict=False):
            axes.plot(*zip(*points, strict=True), color=color, label=name, marker="o" * (len(points) < 16), ms=3)
        axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
        if len(lines) > 1:
            axes.legend()

    return svg(f"{y} against {x}", 3.4, 3.4, draw)
