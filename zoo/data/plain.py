"""Plain values, as people write them on the command line."""

from typing import Any


def texts(value: Any) -> list[str]:
    """A list of texts, or a single value, as the command line gives them."""
    return [str(one) for one in ([] if value is None else [value] if isinstance(value, str | int | float) else value)]
