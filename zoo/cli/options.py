"""Parse the arguments of commands without a config: positional ones and `key=value`."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zoo.core.errors import UserError, unknown_name


def parser(module: str, text: str | None) -> argparse.ArgumentParser:
    """Return a parser of a command's words, with its file's docstring as help."""
    return argparse.ArgumentParser(
        prog=f"zoo {module.rpartition('.')[2]}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def read_options(words: Iterable[str], kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
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
