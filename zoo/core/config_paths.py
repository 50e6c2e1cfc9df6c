"""Find the paths among the settings of a config; make them absolute, or find them again on another machine."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PATH_SETTINGS = ("path", "test_path", "zoo_path", "schema", "labels", "finetune", "teacher")


def is_path(name: str, value: Any) -> bool:
    """Whether a setting holds a path: by its name, or as the absolute path of something that exists.

    Not every absolute path counts: a column may be called /imu/x, and a mark of missing values be ~.
    """
    if not isinstance(value, str) or name in PATH_SETTINGS:
        return isinstance(value, str)
    return bool(re.match(r"([/~]|[A-Za-z]:\\).*\w", value)) and os.path.exists(os.path.expanduser(value))


def paths_in(section: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a section that hold paths."""
    return {name: value for name, value in section.items() if is_path(name, value)}


def map_paths(config: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    """A copy of a config with `change` applied to each path in it."""
    sections = {name: map_paths(value, change) for name, value in config.items() if isinstance(value, Mapping)}
    return {**config, **sections, **{name: change(path) for name, path in paths_in(config).items()}}


def absolute_if_exists(path: str) -> str:
    """The absolute path of something that exists; other text unchanged, which may be the name of a pretrained file."""
    full = os.path.abspath(os.path.expanduser(path))
    return full if os.path.exists(full) else path


def relocated(path: str) -> str:
    """A path that a run folder holds. If it does not exist, as after moving or copying the project to another machine,
    the longest ending of it that exists here, seen from the current folder."""
    parts = Path(path).parts
    if os.path.isabs(path) and not os.path.exists(path):
        endings = (os.path.join(*parts[n:]) for n in range(1, len(parts)))
        return next((absolute_if_exists(ending) for ending in endings if os.path.exists(ending)), path)
    return absolute_if_exists(path)


def base_name(path: str) -> str:
    """The name of a file or folder without its parents, for paths of any system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
