"""Format numbers and durations for people to read."""

import math
from collections.abc import Sequence
from typing import Any

MOST_DIGITS = 12  # of a number in a column of fixed decimals


def format_number(value: float | None, spread: float = 1000.0) -> str:
    """Format a number with four significant digits, or as many decimals as show four digits of `spread` if it is at
    least 1,000; None, NaN and infinity are a dash."""
    if value is None or not math.isfinite(value):
        return "-"
    decimals = 3 - math.floor(math.log10(max(spread, 1e-3))) if spread < 1000 else 0
    return f"{value:,.{decimals}f}" if abs(value) >= 1000 else f"{value:#.4g}"


def format_deviation(value: float) -> str:
    """Format a standard deviation with two significant digits, and all digits of its whole part.

    >>> format_deviation(123456.7), format_deviation(0.01234)
    ('123,457', '0.012')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def format_column(values: Sequence[Any]) -> list[str]:
    """Format the values of a column: floats with the same number of decimals, so that they align.

    The largest value has four significant digits or all of its whole part; more where values would look alike.
    Columns that would need more than twelve digits have exponents.

    >>> format_column([1250000.4, 98000.7])
    ['1,250,000', '98,001']
    """
    numbers = [value for value in values if isinstance(value, float) and math.isfinite(value)] or [0.0]
    largest, spread = max(map(abs, numbers)), max(numbers) - min(numbers)
    decimals = max(0, 3 - _exponent(min(largest, spread or largest)))
    form = ".4g" if decimals + max(0, _exponent(largest)) > MOST_DIGITS else f",.{decimals}f"
    return [format(value, form) if isinstance(value, float) else str(value) for value in values]


def number_are(n: int, noun: str) -> str:
    """A number of things with their verb.

    >>> number_are(1, "missing value"), number_are(2000, "missing value")
    ('1 missing value is', '2,000 missing values are')
    """
    return f"{n:,} {noun} is" if n == 1 else f"{n:,} {noun}s are"


def _exponent(value: float) -> int:
    return math.floor(math.log10(value)) if value else 0


def format_seconds(seconds: float) -> str:
    """Format a duration in words that cannot be misread, to two units.

    >>> [format_seconds(seconds) for seconds in (0.4, 12.3, 100, 7500, 100_000)]
    ['under 1 s', '12 s', '1 min 40 s', '2 h 5 min', '1 d 4 h']
    """
    if seconds < 1:
        return "under 1 s"
    for (unit, size), (smaller, part) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("min", 60)),
        (("min", 60), ("s", 1)),
    ):
        parts = round(seconds / part)
        if parts >= size // part:
            n, rest = divmod(parts, size // part)
            return f"{n} {unit}" + f" {rest} {smaller}" * (rest > 0)
    return f"{round(seconds)} s"
