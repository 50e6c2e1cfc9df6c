"""The files of conf/ and of a user's conf/: what there is, and what Hydra composes of them."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.safe_yaml import read_yaml

if TYPE_CHECKING:
    from omegaconf import DictConfig

INSTALLED = Path(__file__).parents[1] / "conf"
CONF = INSTALLED if INSTALLED.is_dir() else INSTALLED.parents[1] / "conf"  # a checkout has it beside the package


def compose_file(config_name: str, overrides: Sequence[str], **options: bool) -> "DictConfig":
    """Return conf/`config_name`.yaml with Hydra's `overrides`; `zoo_path=` adds the user's conf/.

    `options` are those of Hydra's compose.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    in_command = GlobalHydra.instance().is_initialized()  # then Hydra searches conf/ already
    with contextlib.nullcontext() if in_command else initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(config_name, [*overrides, *search_path(overrides)], **options)


def compose_with_choices(config_name: str, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Return what `compose_file` does as plain values, and the file that each section has, such as {"data": "csv"}."""
    from omegaconf import OmegaConf

    composed = compose_file(config_name, overrides, return_hydra_config=True)
    choices = dict(composed.hydra.runtime.choices)
    plain: Any = OmegaConf.to_container(
        OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"]), resolve=True
    )
    return plain, {section: choices.get(section) for section in sections() if section in choices}


def search_path(overrides: Sequence[str]) -> list[str]:
    """Return the override by which Hydra also searches the conf/ of a `zoo_path=`, if there is one.

    >>> search_path(["model=fnn"])
    []
    """
    folders = ", ".join("'file://" + re.sub(r"(['\\])", r"\\\1", str(folder)) + "'" for folder in own_conf(overrides))
    return [f"hydra.searchpath=[{folders}]"] if folders else []


def own_conf(overrides: Sequence[str]) -> list[Path]:
    """Return the conf/ folders that `zoo_path=` adds."""
    paths = [word.removeprefix("zoo_path=").strip("'\"") for word in overrides if word.startswith("zoo_path=")]
    folders = [Path(path).expanduser().resolve() / "conf" for path in paths]
    return [folder for folder in folders if folder.is_dir()]


def options(group: str, overrides: Sequence[str] = ()) -> list[str]:
    """Return the names that a section such as `data` may have, in conf/ and in the conf/ of a `zoo_path=`."""
    folders = [folder / group for folder in (CONF, *own_conf(overrides))]
    paths = [(path, folder) for folder in folders for path in folder.rglob("*.yaml")]
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path, folder in paths)


def settings_with_model(model: str, section: str, zoo_path: str | None = None) -> list[tuple[str, Any]]:
    """Return the settings of a section that the file of a model, or a recipe of its family, brings."""
    own = [] if zoo_path is None else own_conf([f"zoo_path={zoo_path}"])
    family = model.partition("/")[0]
    files = [file for folder in (CONF, *own)
             for file in (folder / "model" / f"{model}.yaml", *folder.glob(f"experiment/{family}/*.yaml"))]  # fmt: skip
    contents = [read_yaml(file) for file in files if file.is_file()]
    return [entry for content in contents for entry in content.get(section, {}).items()]


def sections() -> list[str]:
    """Return the sections that have a name, such as `data`: the folders of conf/."""
    return [path.name for path in CONF.iterdir() if path.is_dir()]
