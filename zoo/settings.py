"""Every setting of a training, composed from conf/ as the command line does."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.config_paths import PATH_SETTINGS
from zoo.core.errors import UserError, unknown_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

INSTALLED = Path(__file__).parent / "conf"
CONF = INSTALLED if INSTALLED.is_dir() else INSTALLED.parent.parent / "conf"  # a checkout has it beside the package


def config(*words: str, **choices: Any) -> dict[str, Any]:
    """The config that `zoo.train` takes, with every setting at its default but for those that are given.

    `config("rnn/gru", "data=csv", "data.path=rows.csv", width=64)` is what
    `python scripts/train.py model=rnn/gru data=csv data.path=rows.csv model.width=64` trains with.

    Args:
        words: a model's name, and settings as on the command line.
        choices: the model's own.

    Raises:
        UserError: for a name or a choice that there is not, with the nearest, and for any other setting that there is
            not.
    """
    from omegaconf import OmegaConf

    composed = compose(*words)
    sections = [str(key) for key in composed if key not in ("callbacks", "logger", "run_dir")]
    settings: Any = OmegaConf.to_container(OmegaConf.masked_copy(composed, sections), resolve=True)
    for name in choices:
        if name not in settings["model"]:
            raise unknown_name(f"choice of model {settings['model']['name']}", name, set(settings["model"]) - {"name"})
    return {**settings, "model": {**settings["model"], **choices}}


TEXTS = (
    *PATH_SETTINGS,
    "run_dir",
    "weights",
    "input",
    "output",
)  # settings that are paths, of a config or of a command
NO_TEXT = re.compile(r"[+-]?[.0-9][\w.+-]*|[+-]?inf|nan|true|false", re.IGNORECASE)


def compose(*words: str) -> "DictConfig":
    """What Hydra makes of a model's name and settings as on the command line. Raises UserError as `config` does."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException, MissingConfigException

    overrides = [meant(word) if "=" in word or word.startswith("~") else f"model={word}" for word in words]
    paths = [word.removeprefix("zoo_path=") for word in words if word.startswith("zoo_path=")]
    own = [Path(path).expanduser().resolve() / "conf" for path in paths]
    overrides += [f"hydra.searchpath=[file://{folder}]" for folder in own if folder.is_dir()]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("train", overrides)
    except MissingConfigException as error:
        group, _, name = str(error.missing_cfg_file).partition("/")
        raise unknown_name(group, name, options(group, own)) from error
    except HydraException as error:
        raise UserError("\n".join(line for line in str(error).splitlines() if line.strip())) from error


def meant(override: str) -> str:
    """`data.augment={}` as null, no augmentation: Hydra would join the empty list to the data set's own; and a path
    such as 2024 as text, which Hydra would take for a number or a truth value."""
    key, _, value = override.partition("=")
    if key.lstrip("+").rpartition(".")[2] in TEXTS and NO_TEXT.fullmatch(value):
        return f"{key}='{value}'"
    return "data.augment=null" if re.fullmatch(r"data\.augment=\{\s*\}", override) else override


def options(group: str, own: Iterable[Path] = ()) -> list[str]:
    """The names of a section's files, in conf/ and in the user's `own` folders of its form."""
    folders = [folder / group for folder in (CONF, *own)]
    paths = [(path, folder) for folder in folders for path in folder.rglob("*.yaml")]
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path, folder in paths)
