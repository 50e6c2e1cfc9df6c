"""Draw the importance of the columns of a table as bars, in plain SVG."""

from collections.abc import Sequence
from html import escape

from zoo.core.drawing import BLUE
from zoo.core.formatting import format_column, format_deviation

N_BARS = 20  # columns, at most
LONGEST_NAME = 28
ROW, BAR, LETTER = 19, 150, 6.6  # height of a row, width of all bars, and about that of a letter, in pixels


def draw_importance(
    label: str, names: Sequence[str], values: Sequence[float], deviations: Sequence[float] | None = None
) -> str:
    """Draw a bar for each column, the first one on top, with its deviation, and both as text."""
    title = label + f" (the first {N_BARS} of {len(names):,} columns)" * (len(names) > N_BARS)
    names, values = [short(name, LONGEST_NAME) for name in names[:N_BARS]], values[:N_BARS]
    spreads = [0.0] * len(values) if deviations is None else deviations[:N_BARS]
    texts = format_column(values)
    if deviations is not None:
        texts = [f"{text} ± {format_deviation(spread)}" for text, spread in zip(texts, spreads, strict=True)]
    left = LETTER * max(map(len, names)) + 8
    width, height = max(left + BAR + 16 + LETTER * max(map(len, texts)), LETTER * len(title)), ROW * len(names) + 24
    return (
        f'<svg role="img" aria-label="{escape(label)}, by column" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" font-size="12" fill="currentColor" stroke-width=".8">'
        f'<text y="12">{escape(title)}</text>{"".join(_rows(left, names, values, spreads, texts))}</svg>'
    )


def _rows(
    left: float, names: Sequence[str], values: Sequence[float], spreads: Sequence[float], texts: Sequence[str]
) -> list[str]:
    """The bars between their names and texts, and a vertical line at 0."""
    low = min(0.0, *(value - spread for value, spread in zip(values, spreads, strict=True)))
    high = max(0.0, *(value + spread for value, spread in zip(values, spreads, strict=True)))
    per_unit = BAR / ((high - low) or 1.0)
    parts = []
    for row, (name, value, spread, text) in enumerate(zip(names, values, spreads, texts, strict=True)):
        places = (min(value, 0.0), value - spread, value + spread)
        start, low_end, high_end = (f"{left + (place - low) * per_unit:.1f}" for place in places)
        y = ROW * row + 22
        parts.append(
            f'<text x="{left - 6:.0f}" y="{y + 11}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{start}" y="{y}" width="{abs(value) * per_unit:.1f}" height="14" fill="{BLUE}"/>'
            f'<path d="M{low_end} {y + 7}H{high_end}" stroke="currentColor"/>'
            f'<text x="{left + BAR + 8:.0f}" y="{y + 11}">{escape(text)}</text>'
        )
    return [*parts, f'<path d="M{left - low * per_unit:.1f} 18v{ROW * len(names) + 4}" stroke="currentColor"/>']


def short(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
