"""Read the words of a command: flags, settings such as `model=cnn`, and bare words, which become settings."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.rank_zero import is_rank_zero
from zoo.settings.words import as_override

SETTING = re.compile(r"[+~]{0,2}[\w./@-]*[\w-]=|~")
SAFE = re.compile(r"[\w./=,:@%+-]*")  # that a shell reads as it is
Flags = Mapping[str, bool]  # whether each takes a value


@dataclass
class Words:
    """The words of a command by what they are.

    Attributes:
        flags: such as `-m`, with their values.
        settings: such as `model=cnn`.
        bare: words without a key.
    """

    flags: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)

    def given(self) -> dict[str, str]:
        """The values of the settings by key."""
        return {key.lstrip("+~"): value for key, _, value in (word.partition("=") for word in self.settings)}


def read_words(words: Iterable[str], flags: Flags, names: Callable[[], Iterable[str]]) -> Words:
    """Divide the words of a command.

    Args:
        words: as they were typed, in any order.
        flags: that the command has.
        names: of its settings, asked for where a word looks like a flag and is none.

    Raises:
        UserError: for a setting that is written otherwise than `key=value`.
    """
    found, rest = Words(), list(words)
    while rest:
        word = rest.pop(0)
        name = word.partition("=")[0]
        if name in flags:
            found.flags.append(word)
            if flags[name] and "=" not in word and rest:
                found.flags.append(rest.pop(0))
        elif re.match("--?[A-Za-z]", word):
            raise _dashed(word, rest, names())
        elif word == "=":
            raise _spaced(found.bare, rest)
        else:
            (found.settings if SETTING.match(word) and not os.path.exists(word) else found.bare).append(word)
    return found


def _dashed(word: str, rest: Sequence[str], names: Iterable[str]) -> UserError:
    """The error for a setting written as a flag, with the right form of it."""
    flag, equals, value = word.partition("=")
    if not equals:
        value = rest[0] if rest and not rest[0].startswith("-") else "VALUE"
    key = flag.lstrip("-").replace("-", "_")
    names = sorted(names, key=lambda name: name.count("."))
    known = [name for name in names if key in (name, name.rpartition(".")[2])] or [key] * ("." in key)
    if not known:
        return UserError(
            f"{unknown_name('flag or setting', flag, names)}\nsettings are written key=value, without dashes"
        )
    return UserError(f"settings are written without dashes: {known[0]}={shlex.quote(value)}; got {word}")


def _spaced(before: Sequence[str], rest: Sequence[str]) -> UserError:
    key, value = before[-1] if before else "key", rest[0] if rest else "value"
    return UserError(f"settings are written without spaces: {key}={value}")


def fill(command: str, slots: Sequence[str], words: Words) -> dict[str, Any]:
    """Return the settings that bare words stand for: those of `slots` that are not given, in their order.

    Raises:
        UserError: for more words than slots.
    """
    free = [slot for slot in slots if slot not in words.given()]
    if len(words.bare) > len(free):
        takes = " ".join(slot.upper() for slot in slots)
        raise UserError(f"zoo {command} takes {takes}, and settings as key=value; got {words.bare[len(free)]!r} too")
    return dict(zip(free, words.bare, strict=False))


def print_understood(settings: Mapping[str, Any]) -> None:
    """Print the long form of what was understood, on the error output, as the answer may go to a file."""
    words = [as_override(key, value) for key, value in settings.items()]
    if words and is_rank_zero():
        echo(" ".join(word if SAFE.fullmatch(word) else f'"{word}"' for word in words), file=sys.stderr, flush=True)
