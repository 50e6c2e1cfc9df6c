"""The help of a command: what it does, its settings with the sentences of conf/, and examples."""

import ast
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LEFT = 30  # columns of a setting with its value; longer ones have a line of their own
WIDEST = 120
LISTS = {"model": "zoo list models", "data": "zoo list data", "experiment": "zoo list pretrained"}


def docstring(command: str) -> str:
    """Return the docstring of a command's file, without importing it."""
    path = Path(__file__).with_name(f"{command}.py")
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def settings_help(command: str, overrides: Sequence[str]) -> str:
    """Return the help of a command whose settings are in conf/, with their values under the overrides."""
    from zoo.settings.conf_files import compose_with_choices
    from zoo.settings.sentences import sentences

    values, choices = compose_with_choices(command, overrides)
    said = sentences(command, choices, overrides)
    *about, examples = docstring(command).split("\n\n")
    plain = {key: value for key, value in values.items() if not isinstance(value, dict) and key not in choices}
    names = [name for name in dict.fromkeys(["model", "data", *values, *choices]) if name not in plain]
    blocks = [
        [_heading(name, choices, said, overrides), *_lines(values.get(name) or {}, f"{name}.", said)]
        for name in names
        if name in values or name in choices
    ]
    return "\n\n".join([*about, *("\n".join(block) for block in [[*_lines(plain, "", said)], *blocks]), examples])


def _heading(section: str, choices: Mapping[str, str | None], said: Mapping[str, str], overrides: Sequence[str]) -> str:
    """The line above a section's settings: its file, and the others there are."""
    from zoo.settings.conf_files import options

    if section not in choices:
        return section
    names = ", ".join(name for name in options(section, overrides) if name != choices[section])
    others = LISTS.get(section, names)
    notes = "; ".join(filter(None, [said.get(section), others and f"others: {others}"]))
    return f"{section}={_as_text(choices[section])}" + f"  ({notes})" * bool(notes)


def _lines(values: Mapping[str, Any], prefix: str, said: Mapping[str, str]) -> Iterator[str]:
    """A line for each setting, with its value and what is said of it; more where that is long."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _lines(value, f"{prefix}{key}.", said)
        elif f"{prefix}{key}" not in ("model.name", "data.name", "optim.name"):
            whole = said.get(prefix[:-1], "") if prefix.count(".") > 2 else ""  # of {shift: 0.05, rotate: 7.0}
            yield from _line(f"{prefix}{key}={_as_text(value)}", said.get(f"{prefix}{key}", whole))


def _line(left: str, right: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, WIDEST)
    wrapped = textwrap.wrap(right, max(width - LEFT - 4, 20)) or [""]
    if len(left) > LEFT:
        wrapped = ["", *filter(None, wrapped)]
    lefts = [left, *[""] * (len(wrapped) - 1)]
    return [f"  {one:{LEFT}}  {two}".rstrip() for one, two in zip(lefts, wrapped, strict=True)]


def _as_text(value: Any) -> str:
    """A value as it is written in a command."""
    if isinstance(value, list):
        return f"[{','.join(map(_as_text, value))}]"
    return {"None": "null", "True": "true", "False": "false", "???": ""}.get(str(value), str(value))
