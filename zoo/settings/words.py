"""Read overrides such as `data.path=2024` as their writer means them."""

import os
import re
from typing import Any

from zoo.core.config_paths import PATH_SETTINGS
from zoo.core.errors import UserError
from zoo.settings.conf_files import options, sections
from zoo.settings.hydra_private import names_a_choice, parse_override

PATH_KEYS = (*PATH_SETTINGS, "run_dir", "weights", "input", "output")
LITERAL = re.compile(r"[+-]?[.0-9][\w.+-]*|[+-]?inf|nan|true|false", re.IGNORECASE)  # no text, in Hydra's grammar
PLAIN = re.compile(r"[A-Za-z_./][\w./-]*(,[A-Za-z_./][\w./-]*)*")  # texts that Hydra reads as they are
WORDS_OF_YAML = ("null", "true", "false", "nan", "inf")
EMPTY_AUGMENT = re.compile(r"data\.augment=\{\s*\}")


def read_word(word: str) -> str:
    """Return an override that Hydra reads as the user means `word`: paths are text, in full, and need no quotes.

    Raises:
        UserError: a section's choice that is not a name, such as `model=0`.
    """
    from hydra.errors import HydraException

    key, equals, value = word.partition("=")
    if not equals:
        return word
    value = expand_home(value)
    override = _as_meant(key, value)
    try:
        parsed = parse_override(override)
    except HydraException:  # such as a path beyond ASCII
        return override if value[:1] in ("[", "{", "'", '"') else f"{key}={quoted(value)}"
    section = key.lstrip("+~")
    if section in sections() and not names_a_choice(parsed):
        raise UserError(f"{section} is a name, such as {options(section)[0]}; got {value or 'nothing'}")
    return override


def expand_home(value: str) -> str:
    """Return a path in the home folder in full: a shell leaves the tilde of `run_dir=~/first` as it is."""
    return os.path.expanduser(value) if value.startswith("~/") else value


def _as_meant(key: str, value: str) -> str:
    """Quote a path such as 2024, which Hydra would read as a number; and make `data.augment={}` null, no augmentation,
    as Hydra would merge the empty mapping into the data set's own."""
    override = f"{key}={value}"
    if key.lstrip("+").rpartition(".")[2] in PATH_KEYS and LITERAL.fullmatch(value):
        return f"{key}={quoted(value)}"
    return "data.augment=null" if EMPTY_AUGMENT.fullmatch(override) else override


def quoted(value: str) -> str:
    """Quote a text for Hydra."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def as_override(key: str, value: Any) -> str:
    """Return an override of Hydra that sets a key to a plain value or a list of them.

    >>> as_override("data.target", "price"), as_override("input", "Shall I"), as_override("data.size", [32, 40])
    ('data.target=price', "input='Shall I'", 'data.size=[32,40]')
    """
    is_list = isinstance(value, list | tuple)
    return f"{key}=[{','.join(map(_as_word, value))}]" if is_list else f"{key}={_as_word(value)}"


def _as_word(value: Any) -> str:
    if not isinstance(value, str):
        return "null" if value is None else str(value).lower()  # a number, or true or false
    return value if PLAIN.fullmatch(value) and value.lower() not in WORDS_OF_YAML else quoted(value)
