"""Draw charts by matplotlib as inline SVG, in the colour of the text around them, which suits light and dark pages."""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, BLUE, ORANGE = "#010203", "#3a86d4", "#e8730c"
PAD = 1 / 3  # around a chart, of the font's size
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "zoo",
    "font.size": 9,
    "text.parse_math": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "axes.formatter.limits": (-4, 9),  # exponents beyond which ticks are powers of ten
    "axes.formatter.useoffset": False,
}


def svg(label: str, width: float, height: float, *draw: Callable[["Axes"], None], ratios: Sequence[float] = ()) -> str:
    """Draw a chart of `width` by `height` inches; `label` is its text alternative. Several functions draw panels above
    one another, with one x axis and heights in the `ratios`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import TightLayoutEngine

    text = io.StringIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's own font may have it
        figure = Figure((width, height), dpi=72)  # that of SVG, so that text is as wide in the layout as on the page
        panels = figure.subplots(len(draw), sharex=True, squeeze=False, height_ratios=ratios or None)
        for function, axes in zip(draw, panels[:, 0], strict=True):
            function(axes)
        TightLayoutEngine(pad=PAD).execute(figure)  # once; saving a figure that has a layout draws it twice
        figure.savefig(
            text, format="svg", dpi=200, transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    chart = re.sub(r'^.*?<svg| xmlns(:\w+)?="[^"]*"', "", text.getvalue(), flags=re.DOTALL)
    return f'<svg role="img" aria-label="{escape(label)}"{chart}'.replace(INK, "currentColor")
