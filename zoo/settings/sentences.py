"""The sentences that files of conf/ say of their settings: the comments behind them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.settings.conf_files import CONF, own_conf

SETTING = re.compile(r"( *)(?:- )?([\w-]+):(.*)")
CHOICES = "defaults."  # where a file chooses those of sections


def sentences(config_name: str, choices: Mapping[str, str | None], overrides: Sequence[str] = ()) -> dict[str, str]:
    """Return what is said of each setting, by its dotted key.

    Args:
        config_name: the file in conf/, without its ending.
        choices: of the sections, such as {"data": "csv"}.
        overrides: of Hydra; a `zoo_path=` among them adds the files of the user's conf/.
    """
    found = dict(_said_in(CONF / f"{config_name}.yaml", ""))
    for section, choice in choices.items():
        files = [folder / section / f"{choice}.yaml" for folder in (CONF, *own_conf(overrides))]
        for path in filter(Path.is_file, files):
            found |= dict(_said_in(path, f"{section}."))
    return {key.removeprefix(CHOICES): said for key, said in found.items()}


def _said_in(path: Path, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and sentences of a file, those of the files that it inherits from first."""
    text = path.read_text(encoding="utf-8")
    prefix = "" if "@package _global_" in text else prefix
    for inherited in _inherited(path, text):
        yield from _said_in(inherited, prefix)
    parents: list[tuple[int, str]] = []
    for indent, key, rest in SETTING.findall(text):
        parents = [(depth, name) for depth, name in parents if depth < len(indent)]
        if " # " in rest:
            yield prefix + ".".join([*(name for _, name in parents), key]), rest.partition(" # ")[2]
        parents.append((len(indent), key))


def _inherited(path: Path, text: str) -> list[Path]:
    """The files that a file's `defaults: [/loader@_here_, _self_]` or `[auto]` names."""
    from zoo.core.safe_yaml import parse_yaml

    parsed = parse_yaml(text)
    files = []
    for entry in parsed.get("defaults", []) if isinstance(parsed, dict) else []:
        name, choice = (entry, "") if isinstance(entry, str) else next(iter(entry.items()))
        if isinstance(entry, str) or name.startswith("/"):
            folder = CONF if name.startswith("/") else path.parent
            files.append(folder / f"{name.partition('@')[0]}/{choice}".strip("/"))
    return [file for file in (file.with_name(f"{file.name}.yaml") for file in files) if file.is_file()]
