"""Paths among the settings of a config."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# settings that name a file or a folder
PATH_SETTINGS = ("path", "test_path", "zoo_path", "schema", "labels", "finetune", "teacher")


def paths_in(section: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a section that name a file or a folder."""
    return {key: value for key, value in section.items() if is_path(key, value)}


def map_paths(values: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    """The values of a config, with `change` made to each that names a file or a folder."""
    changed = {key: map_paths(value, change) for key, value in values.items() if isinstance(value, Mapping)}
    return {**values, **changed, **{key: change(path) for key, path in paths_in(values).items()}}


def is_path(key: str, value: Any) -> bool:
    """Whether a setting names a file or a folder: by its key, or as the full path of one that is there. A column may
    be called /imu/x, and a mark be ~."""
    if not isinstance(value, str) or key in PATH_SETTINGS or key.endswith("_path"):
        return isinstance(value, str)
    return bool(re.match(r"([/~]|[A-Za-z]:\\).*\w", value)) and os.path.exists(os.path.expanduser(value))


def absolute_if_exists(path: str) -> str:
    """A path that is there as it is from any folder; another text as it is, which may be a name of the zoo's."""
    full = os.path.abspath(os.path.expanduser(path))
    return full if os.path.exists(full) else path


def relocated(path: str) -> str:
    """A path as a run folder notes it; where it is not there, as in a project that was moved or copied to another
    machine, that of its ending which is there from this folder."""
    parts = Path(path).parts
    if os.path.isabs(path) and not os.path.exists(path):
        endings = (os.path.join(*parts[n:]) for n in range(1, len(parts)))
        return next((absolute_if_exists(ending) for ending in endings if os.path.exists(ending)), path)
    return absolute_if_exists(path)


def base_name(path: str) -> str:
    """The name of a file or a folder, without those of the folders it is in."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
