"""What goes to a terminal: names of the user's, or of a file from elsewhere, never move the cursor or hide text."""

import builtins
import re
from typing import Any

HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Text with its control characters, but for tabs and ends of lines, and half characters as escapes.

    >>> visible("a" + chr(27) + "[2J")
    'a\\\\x1b[2J'
    """
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def print(*values: object, **options: Any) -> None:
    """The builtin, whose text is `visible`."""
    builtins.print(*(visible(str(value)) for value in values), **options)
