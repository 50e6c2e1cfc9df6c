"""Charts of what happens over the steps of a sequence, as inline SVG."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.core.drawing import BLUE, INK, ORANGE, svg

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

FEW_CHANNELS = 12  # more are drawn as a picture, such as a spectrogram
FEW_STEPS = 40  # whose characters are written below them
N_TICKS = 12


def labels_over_time(names: Sequence[str], true: Tensor, probability: Tensor) -> str:
    """Draw the probability of each label over time as shades, and rings where it is true, both (time, n_labels); labels
    above and below those that occur are left out."""
    from matplotlib.ticker import MaxNLocator

    rows = ((true > 0.5) | (probability > 0.1)).any(0).nonzero().flatten()
    low, high = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, len(names))

    def draw(axes: "Axes") -> None:
        axes.imshow(_shades(probability[:, low:high].T), interpolation="none", aspect="auto", origin="lower")
        steps, labels = (true[:, low:high] > 0.5).nonzero(as_tuple=True)
        axes.scatter(steps, labels, s=9, facecolors="none", edgecolors=INK, lw=0.6)
        every = max(1, -(-(high - low) // N_TICKS))
        axes.set_yticks(range(0, high - low, every), names[low:high:every])
        axes.set(xlabel="step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

    return svg("labels over time", 6.4, min(3.6, 0.9 + 0.22 * (high - low)), draw)


def answer_over_time(
    sequence: Tensor | str, moments: Sequence[int], lines: Sequence[tuple[str, Tensor]], turned: int
) -> str:
    """Draw a sequence (time, n_channels), or a text, above the probability of classes at some moments.

    Args:
        sequence: channels as lines, many of them as a picture.
        moments: numbers of steps that were read.
        lines: of each class its name and its probability (n_moments,), the true class first.
        turned: the moment from which the answer stayed what it is in the end.
    """

    from matplotlib.ticker import MaxNLocator

    def draw_answer(axes: "Axes") -> None:
        steps = [moment - 1 for moment in moments]
        for (name, probability), color in zip(lines, (BLUE, ORANGE), strict=False):
            axes.plot(steps, probability, color=color, label=name, marker="o" * (len(steps) < 16), ms=3)
        axes.axvline(turned - 1, color=INK, lw=0.8, ls="--", alpha=0.6)
        axes.set(xlabel="step", ylim=(0, 1.02), ylabel="probability")
        axes.legend(loc="best", fontsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
        if isinstance(sequence, str) and len(sequence) <= FEW_STEPS:
            _write_text(axes, sequence)

    label = "the sequence, and the probability of its class over the steps"
    if isinstance(sequence, str):
        return svg(label, 3.9, 1.8, draw_answer)
    return svg(label, 3.9, 3.0, lambda axes: _draw_channels(axes, sequence), draw_answer, ratios=(1.2, 1))


def units_over_time(hidden: Tensor, text: str = "") -> str:
    """Draw hidden units (time, n_units) as a picture: orange above 0, blue below; a unit a row, ordered by the step at
    which it is largest in size. A short `text` is written below the steps."""
    from matplotlib.ticker import MaxNLocator

    ordered = hidden[:, hidden.abs().argmax(0).argsort(stable=True)]
    share = ordered.T / hidden.abs().max().clamp(min=1e-9)  # (n_units, time)

    def draw(axes: "Axes") -> None:
        axes.imshow(_shades(share), interpolation="none", aspect="auto")
        axes.set(xlabel="step", ylabel="hidden unit", yticks=[])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if text and len(text) <= FEW_STEPS:
            _write_text(axes, text)

    return svg("hidden units over time", 6.4, 3.2, draw)


def _draw_channels(axes: "Axes", sequence: Tensor) -> None:
    """Channels (time, n_channels) as lines, or as a picture where there are many."""
    from matplotlib import colormaps

    if sequence.shape[1] > FEW_CHANNELS:
        axes.imshow(sequence.T.numpy(), aspect="auto", origin="lower", cmap="magma", interpolation="none")
        axes.set(ylabel="channel")
        return
    shades = colormaps["plasma"](torch.linspace(0.25, 0.8, sequence.shape[1]).numpy())
    for channel, color in zip(sequence.T, shades, strict=True):
        axes.plot(channel, color=color, lw=1, marker="." if len(channel) == 1 else "")
    axes.set(ylabel="value")


def _shades(share: Tensor) -> "np.ndarray":
    """Colours (n, m, 4) of values from -1, blue, to 1, orange, with the size as opacity; of probabilities blue."""
    from matplotlib.colors import to_rgb

    signed = bool((share < 0).any())
    colors = torch.zeros(*share.shape, 4)
    colors[..., :3] = torch.tensor(to_rgb(BLUE))
    if signed:
        colors[..., :3][share > 0] = torch.tensor(to_rgb(ORANGE))
    colors[..., 3] = share.abs()
    return colors.numpy()


def _write_text(axes: "Axes", text: str) -> None:
    axes.set_xticks(range(len(text)), [character if character != "\n" else "⏎" for character in text])
    axes.set(xlabel="")
