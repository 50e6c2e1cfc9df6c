"""Resume a training by its run folder: config.yaml has every setting that the command does not repeat."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.core.config_paths import map_paths, relocated
from zoo.core.errors import UserError
from zoo.core.run_folder import Run
from zoo.settings.conf_files import options


def settings_of_run(given: Mapping[str, str]) -> dict[str, str]:
    """Return the model and data of the run in `run_dir`, by section; nothing if it holds no run.

    Args:
        given: values of settings by key, with `run_dir`.

    Raises:
        UserError: for a run with code of its own that `zoo_path` does not name.
    """
    run = Run(Path(given["run_dir"].strip("'\"")).expanduser())
    if not run.config.exists():
        return {}
    config = run.read_config()
    if config.get("zoo_path") and "zoo_path" not in given:
        raise UserError(f"{run.folder} trains with code of yours; if you trust it, add zoo_path={config['zoo_path']}")
    names = {section: config[section]["name"] for section in ("model", "data") if _has_name(config.get(section))}
    words = [f"zoo_path={given['zoo_path']}"] if "zoo_path" in given else []
    return {
        section: name for section, name in names.items() if section not in given and name in options(section, words)
    }


def resumed_config(run_dir: str | Path, given: Mapping[str, Any] | None = None, words: Sequence[str] = ()) -> Any:
    """Return the config of the run in a folder, with what `words` set.

    Args:
        run_dir: the run folder.
        given: the config that the words compose.
        words: settings as on the command line.

    Raises:
        UserError: for a folder without a run.
    """
    run = Run(Path(run_dir).expanduser())
    if not run.config.exists():
        raise UserError(f"{run.folder} holds no run to resume; to begin one, say which model")
    config: dict[str, Any] = {**map_paths(run.read_config(), relocated), "resume": "auto"}
    for word in words:
        keys = word.partition("=")[0].lstrip("+~").split(".")
        if "=" in word and keys[0] in config:
            _copy(given or {}, config, keys)
    return config


def _copy(source: Mapping[str, Any], target: dict[str, Any], keys: Sequence[str]) -> None:
    """Copy the value of a dotted key from one nested mapping to another."""
    first, *rest = keys
    if rest:
        _copy(source[first], target.setdefault(first, {}), rest)
    else:
        target[first] = source[first]


def _has_name(section: Any) -> bool:
    return isinstance(section, Mapping) and isinstance(section.get("name"), str)
