"""Compose the settings of conf/, and of a user's conf/, with the overrides of a command line or of `zoo.config`."""

from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError, unknown_name
from zoo.settings.conf_files import compose_file
from zoo.settings.family_model import resolve_family
from zoo.settings.finetuning import settings_of_finetuning
from zoo.settings.mistakes import explain
from zoo.settings.types import check_type, check_types
from zoo.settings.words import as_override, read_word

if TYPE_CHECKING:
    from omegaconf import DictConfig


def config(*words: str, **choices: Any) -> dict[str, Any]:
    """Return the config that `zoo.train` takes: every setting at its default but for those that are given.

    `config("rnn/gru", "data=csv", "data.path=rows.csv", width=64)` is what
    `zoo train model=rnn/gru data=csv data.path=rows.csv model.width=64` trains with.

    Args:
        words: a model's name, and settings as on the command line.
        choices: keywords of the model, and settings such as `data="csv"` or `seed=1`.

    Raises:
        UserError: for a name, a setting or a keyword that does not exist, with the nearest; and a value of another type
            than the default.
    """
    from omegaconf import OmegaConf

    if "finetune" in choices:  # which brings a model
        words = (*words, f"finetune={choices.pop('finetune')}")
    composed = compose(*words)
    outside = {name for name in choices if name in composed and name not in composed.model}
    if outside:
        composed = compose(*words, *(f"{name}={choices.pop(name)}" for name in sorted(outside)))
    sections = [str(key) for key in composed if key not in ("callbacks", "logger", "run_dir")]
    settings: Any = OmegaConf.to_container(OmegaConf.masked_copy(composed, sections), resolve=True)
    model = settings["model"]
    for name, value in choices.items():
        if name not in model:
            raise unknown_name(f"setting of model {model['name']}", name, set(model) - {"name"})
        check_type(f"model.{name}", model[name], value)
    return {**settings, "model": {**model, **choices}}


def compose(*words: str) -> "DictConfig":
    """Return what Hydra makes of a model's name and settings as on the command line. Raises UserError as `config`."""
    if wrong := [word for word in words if not isinstance(word, str)]:
        raise UserError(f'settings are text, such as "data.fold=1"; got {wrong[0]!r}')
    overrides = [read_word(word if "=" in word or word.startswith("~") else f"model={word}") for word in words]
    brought = settings_of_finetuning(dict(word.partition("=")[::2] for word in overrides))
    overrides = resolve_family([*(as_override(key, value) for key, value in brought.items()), *overrides])
    try:
        composed = compose_file("train", overrides)
        check_types("train", overrides, composed)
        return composed
    except Exception as error:
        message = explain(error, "train", overrides)
        if message is None:
            raise
        raise UserError(message) from error
