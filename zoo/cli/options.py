"""Read the words of commands without a config: bare ones and `key=value`."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zoo.cli.command_words import Words, fill, read_words
from zoo.cli.help import docstring
from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name

Kinds = Mapping[str, Callable[[str], Any]]


def read_plain(command: str, words: Sequence[str] | None, names: Iterable[str]) -> Words:
    """Divide the words of a command without a config; print its help and end where they ask for it.

    Args:
        command: whose file's docstring is the help.
        words: as they were typed; None takes those that the process was started with.
        names: of its settings.
    """
    found = read_words(sys.argv[1:] if words is None else words, {"--help": False, "-h": False}, lambda: names)
    if found.flags:
        echo(docstring(command))
        sys.exit(0)
    return found


def read_command(command: str, words: Sequence[str] | None, slots: Kinds, kinds: Kinds, n: int = 1) -> dict[str, Any]:
    """Return the settings of a command, each converted by its kind.

    Args:
        command: as for `read_plain`.
        words: as for `read_plain`.
        slots: the settings that bare words fill, in this order.
        kinds: all others.
        n: slots that have to be filled.

    Raises:
        UserError: for a missing word, a word too many, an unknown key, and text where a number belongs.
    """
    found = read_plain(command, words, [*slots, *kinds])
    filled = fill(command, list(slots), found)
    values = read_options([*(f"{key}={value}" for key, value in filled.items()), *found.settings], {**slots, **kinds})
    for slot in list(slots)[:n]:
        if slot not in values:
            usage = docstring(command).partition("\n")[0].partition(": ")[2].removesuffix(".")
            raise UserError(f"say which {slot}: {usage}")
    return values


def read_options(words: Iterable[str], kinds: Kinds) -> dict[str, Any]:
    """Return the values of `key=value` words, each converted by its kind, such as int or Path.

    Raises:
        UserError: for an unknown key, and text where a number belongs.
    """
    from zoo.settings.words import expand_home

    values: dict[str, Any] = {}
    for key, _, value in (word.partition("=") for word in words):
        if key not in kinds:
            raise unknown_name("setting", key, kinds)
        try:
            values[key] = kinds[key](expand_home(value))
        except ValueError:
            raise UserError(f"{key} is a number; got {value}") from None
    return values
