"""Check that a setting keeps the type of its default."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError
from zoo.settings.conf_files import CONF, compose_file, own_conf, sections

INHERITED = ("loader.yaml", "optimizer.yaml")  # by the files of data/ and optim/
NEEDS = {  # settings without which others have no effect, with an example
    "data.n_folds": ("data.fold", "0, which tests on that fold; folds=8 trains a model on each of eight"),
    "distill.weight": ("distill.teacher", "cnn/fast.cifar10"),
    "distill.temperature": ("distill.teacher", "cnn/fast.cifar10"),
}
TYPES = {bool: "true or false", int: "a whole number", float: "a number"}


def check_types(config_name: str, overrides: Sequence[str], config: Any) -> None:
    """Raise UserError where an override changes the type of a setting, such as `trainer.max_epochs=three`, or sets what
    has no effect without another one.

    Args:
        config_name: the file in conf/, without its ending.
        overrides: of Hydra.
        config: what they compose to.
    """
    from omegaconf import OmegaConf

    choices = [word for word in overrides if _is_choice(word)]
    changes = [word.partition("=")[0] for word in overrides if word not in choices and not word.startswith("hydra")]
    if not changes:
        return
    compose = compose_file if own_conf(choices) else _compose_once  # a user's files may change
    defaults = compose(config_name, tuple(choices))
    for key in changes:
        default, value = OmegaConf.select(defaults, key), OmegaConf.select(config, key)
        if not (value is None and _may_be_null(key, config_name)):
            check_type(key, default, value)
        needed = NEEDS.get(key)
        if needed and OmegaConf.select(config, needed[0]) is None:
            raise UserError(f"{key}={value} has no effect without {needed[0]}, such as {needed[0]}={needed[1]}")


@functools.cache
def _compose_once(config_name: str, choices: tuple[str, ...]) -> Any:
    """What `compose_file` returns; the same for the jobs of a sweep."""
    return compose_file(config_name, choices)


def check_type(key: str, default: Any, value: Any) -> None:
    """Raise UserError where `value` has another type than a default that is a truth value or a number.

    >>> check_type("trainer.max_epochs", 3, "auto")
    """
    from omegaconf import OmegaConf

    kind = type(default)
    fits = type(value) is kind or (kind is float and type(value) is int) or value == "auto"
    if kind in TYPES and not fits and not OmegaConf.is_config(value):
        raise UserError(f"{key} is {TYPES[kind]}, such as {default}; got {value}")


def _is_choice(override: str) -> bool:
    """Whether an override chooses files of conf/, and so the defaults of others."""
    key = override.partition("=")[0].lstrip("+~")
    return key in (*sections(), "zoo_path") or "/" in key


def _may_be_null(key: str, config_name: str) -> bool:
    """Whether a setting is null in a file of its section, where null then has a meaning."""
    from omegaconf import OmegaConf

    section, _, name = key.partition(".")
    files = [*Path(CONF, section).glob("*.yaml"), *(CONF / name for name in INHERITED)]
    places = [(path, name) for path in files if name] + [(CONF / f"{config_name}.yaml", key)]
    return any(OmegaConf.select(OmegaConf.load(path), name, default="nothing") is None for path, name in places)
