"""What goes to a terminal: names of the user's, or of a file from elsewhere, never move the cursor or hide text."""

import builtins
import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_waiting: ContextVar[Counter[str] | None] = ContextVar("waiting", default=None)  # lines of a block that joins them


def printable(text: str) -> str:
    """Text with its control characters, but for tabs and ends of lines, and half characters as escapes.

    >>> printable("a" + chr(27) + "[2J")
    'a\\\\x1b[2J'
    """
    return CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextlib.contextmanager
def merge_repeats() -> Iterator[None]:
    """Print each line of the block when it ends, those that are equal once, with how often they were printed."""
    lines: Counter[str] = Counter()
    before = _waiting.set(lines)
    try:
        yield
    finally:
        _waiting.reset(before)
        for line, n in lines.items():
            echo(line + f" ({n:,} times)" * (n > 1))


def echo(*values: object, **options: Any) -> None:
    """The builtin, whose text is `printable`."""
    texts = [printable(str(value)) for value in values]
    waiting = _waiting.get()
    if waiting is None or options:
        builtins.print(*texts, **options)
    else:
        waiting[" ".join(texts)] += 1
