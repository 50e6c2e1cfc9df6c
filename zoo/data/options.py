"""Options of data sets as the command line gives them: lists, and headings that YAML parses as something else."""

import contextlib
import inspect
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from yaml import YAMLError

from zoo.core.safe_yaml import parse_yaml

Options = TypeVar("Options")
Result = TypeVar("Result")


def takes_options(kind: Callable[..., Options]) -> Callable[[Callable[[Options], Result]], Callable[..., Result]]:
    """Decorate a function of one options object so that it takes the fields of the object as keywords."""

    def decorate(function: Callable[[Options], Result]) -> Callable[..., Result]:
        def call(**options: Any) -> Result:
            return function(kind(**options))

        call.__doc__, call.__name__, call.__module__ = function.__doc__, function.__name__, function.__module__
        call.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
        return call

    return decorate


def as_list(value: Any) -> list[Any]:
    """Return a list for a list, a single value or None."""
    return [] if value is None else [value] if isinstance(value, str | int | float) else list(value)


def as_strings(value: Any) -> list[str]:
    """Return a list of strings for a list, a single value or None."""
    return [str(item) for item in as_list(value)]


def clean_heading(value: object) -> str:
    """Normalise a heading: one line, single plain spaces, accents composed (NFC), no invisible characters."""
    visible = "".join(character for character in str(value) if unicodedata.category(character) != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def match_heading(value: Any, names: Iterable[str]) -> str:
    """Find the heading among `names` that a value stands for; the command line or YAML may have made it a number or a
    boolean. Without a match, return the value as text."""
    text, names = clean_heading(value), list(names)
    if text in names:
        return text
    return next((name for name in names if is_read_as(name, value)), text)


def match_headings(values: Any, names: Iterable[str]) -> list[str]:
    """Match each value of a list, or a single value, as `match_heading` does."""
    names = list(names)
    return [match_heading(value, names) for value in as_list(values)]


def is_read_as(name: str, value: Any) -> bool:
    """Whether the command line or YAML parses a text as `value`."""
    if isinstance(value, str):
        return name == clean_heading(value)
    if name.casefold() == str(value).casefold():
        return True
    parsed: list[Any] = []
    for parse in (float, parse_yaml):
        with contextlib.suppress(ValueError, YAMLError, RecursionError):
            parsed.append(parse(name))
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in parsed)
