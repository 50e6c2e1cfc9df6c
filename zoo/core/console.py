"""Print with control characters escaped, so that no name in a user's data moves the cursor or hides text."""

import builtins
import contextlib
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

ASCII = str.maketrans({"\u00b1": "+-", "\u2026": ".", "\u00d7": "x"})

_pending: ContextVar[Counter[str] | None] = ContextVar("pending", default=None)  # lines of a `merge_repeats`


def printable(text: str) -> str:
    """Escape control characters, except tabs and line ends, and lone surrogates.

    >>> printable("a" + chr(27) + "[2J")
    'a\\\\x1b[2J'
    """
    return CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _encodable(text: str) -> str:
    """The text as the terminal can show it: without the zoo's own characters beyond ASCII in the locale C, and with
    escapes for characters that the output's encoding lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if (os.environ.get("LC_ALL") or os.environ.get("LANG")) in ("C", "POSIX") or "utf" not in encoding.lower():
        text = text.translate(ASCII)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def terminal_width() -> int | None:
    """The columns of the terminal that output goes to; None where it goes elsewhere, such as to a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextlib.contextmanager
def merge_repeats() -> Iterator[None]:
    """Hold the lines of the block back; at its end print each once, with how often it came."""
    lines: Counter[str] = Counter()
    before = _pending.set(lines)
    try:
        yield
    finally:
        _pending.reset(before)
        for line, n in lines.items():
            echo(line + f" ({n:,} times)" * (n > 1))


def echo(*values: object, **options: Any) -> None:
    """The builtin `print` with `printable` text."""
    texts = [_encodable(printable(str(value))) for value in values]
    pending = _pending.get()
    if pending is None or options:
        builtins.print(*texts, **options)  # noqa: T201
    else:
        pending[" ".join(texts)] += 1
