"""Options of a data set as the command line gives them: lists, and headings that yaml reads as something else."""

import contextlib
import unicodedata
from collections.abc import Iterable
from typing import Any

from yaml import YAMLError

from zoo.core.safe_yaml import parse_yaml


def as_strings(value: Any) -> list[str]:
    """A list of texts, or a single value, as the command line gives them."""
    return [str(one) for one in as_list(value)]


def as_list(value: Any) -> list[Any]:
    """A list, or a single value, as the command line gives them."""
    return [] if value is None else [value] if isinstance(value, str | int | float) else list(value)


def clean_heading(value: object) -> str:
    """A heading as all are compared: in one line, with single plain spaces, its accents in one form (NFC), and without
    what is not seen, such as a space without width."""
    seen = "".join(one for one in str(value) if unicodedata.category(one) != "Cf")
    return " ".join(unicodedata.normalize("NFC", seen).split())


def match_heading(value: Any, names: Iterable[str]) -> str:
    """The one of `names` that a value stands for, which the command line or yaml may have made a number or a truth
    value."""
    text, names = clean_heading(value), list(names)
    if text in names:
        return text
    return next((name for name in names if is_read_as(name, value)), text)


def match_headings(values: Any, names: Iterable[str]) -> list[str]:
    """`match_heading` of a list, or of a single value."""
    return [match_heading(value, names) for value in as_list(values)]


def is_read_as(name: str, value: Any) -> bool:
    """Whether the command line or yaml reads a text as `value`."""
    if isinstance(value, str):
        return name == clean_heading(value)
    if name.casefold() == str(value).casefold():
        return True
    readings: list[Any] = []
    for read in (float, parse_yaml):
        with contextlib.suppress(ValueError, YAMLError, RecursionError):
            readings.append(read(name))
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in readings)
