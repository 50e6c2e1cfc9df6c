"""Explain mistakes in the overrides of a command line or of `zoo.config`."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from zoo.core.errors import unknown_name
from zoo.core.extras import install_command
from zoo.models import MODELS
from zoo.settings.conf_files import compose_with_choices, options, sections
from zoo.settings.hydra_private import is_from_hydra, missing_choice


def explain(error: BaseException, config_name: str | None, overrides: Sequence[str]) -> str | None:
    """Return what Hydra complains of, in a few lines; None for an error that is not Hydra's.

    Args:
        error: raised while `overrides` were composed, or a setting was read.
        config_name: the file in conf/, where its `overrides` may be wrong.
        overrides: of Hydra.
    """
    if not is_from_hydra(error):
        return None
    missing = missing_choice(error)
    if missing:
        return _missing(*missing, overrides)
    several = re.match("Ambiguous value for argument '([^=]+)=(.*)'", str(error))
    if several:
        return _several_values(*several.groups())
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (_wrong_setting(config_name, overrides) if config_name else None) or "\n".join(lines)


def _missing(group: str, name: str, names: Sequence[str], overrides: Sequence[str]) -> str:
    if group == "model" and name in MODELS.names():
        like = next((other for other in options("model") if other.startswith(f"{name.partition('/')[0]}/")), "fnn/mlp")
        return (
            f"{name} is registered in {MODELS.path(name)}; its settings go in conf/model/{name}.yaml of that zoo_path\n"
            f"to begin with another model's: zoo copy model/{like} model/{name} zoo_path=..., and name it {name} there"
        )
    if group != "hydra":
        return str(unknown_name(group, name, options(group, overrides)))
    kind, _, name = name.partition("/")  # such as hydra/launcher=joblib, a package of its own
    package = f"hydra-{name.split('_')[0]}-{kind}"
    fix = "zoo search tries settings with Optuna; zoo search --help" if kind == "sweeper" else install_command(package)
    return f"no {kind} '{name}' is installed; there are: {', '.join(names)}\n{fix}"


def _several_values(key: str, value: str) -> str:
    return f"{key} takes one value; got {value}\nto train with each of them, add -m; {_as_list(key, value)}"


def _as_list(key: str, value: str) -> str:
    if key == "seed":
        return f"all at once: seeds=[{value}]"
    return f"a list is written {key}=[{value}], a text with commas \"{key}='{value}'\""


def _wrong_setting(config_name: str, overrides: Sequence[str]) -> str | None:
    """Return which override names a setting that does not exist, or that the model is missing."""
    from zoo.data.augment import AUGMENTATIONS

    names = setting_names(config_name, overrides)
    for override in sorted(filter(lambda word: "=" in word, overrides), key=lambda word: word.startswith("+")):
        key = override.partition("=")[0].lstrip("+~")
        augmentation = re.match(r"data\.augment\.(\w+)", override)
        if augmentation and augmentation[0] not in names and augmentation[1] in AUGMENTATIONS.names():
            return f"this data has no {augmentation[0]} of its own; a plus before it adds it: +{override}"
        if key not in names and not key.startswith("hydra"):
            return str(unknown_name("setting", key, names))
    if config_name == "train" and not chooses_model(overrides):
        return "say which model: model=" + " or ".join(name for name in options("model") if "/" not in name)
    return None


def chooses_model(overrides: Sequence[str]) -> bool:
    """Whether a model is chosen, by itself or by an experiment."""
    return any(override.startswith(("model=", "experiment=")) for override in overrides)


def setting_names(config_name: str, overrides: Sequence[str]) -> list[str]:
    """Return every setting there is, dotted, with the overrides' choices of model and data where these exist."""
    from hydra.errors import HydraException

    choices = [word for word in overrides if word.partition("=")[0] in (*sections(), "zoo_path")]
    for attempt in (choices, ["model=fnn"], []):  # the first that composes
        with contextlib.suppress(HydraException, TypeError):
            values, groups = compose_with_choices(config_name, attempt)
            return sorted({*groups, *_dotted(values)})
    return sections()


def _dotted(config: Any, prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield prefix + str(key)
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")
