"""Find the data that a model was trained on, by its card and its run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.config_paths import base_name, paths_in, relocated
from zoo.core.errors import UserError
from zoo.core.rank_zero import rank_zero_print
from zoo.core.run_folder import Run
from zoo.inference.pretrained import list_pretrained


def data_section(card: Mapping[str, Any], weights: str | Path) -> Mapping[str, Any]:
    """The data section of the config that a model was trained with. UserError if its card has none."""
    section = data_section_or_none(card)
    if section is None:
        raise UserError(f"{weights} does not say which data it was trained on; say what to measure on: data=<name>")
    return section


def data_section_or_none(card: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """`data_section`, or None if the card has no valid one."""
    config = card.get("config")
    section = config.get("data") if isinstance(config, Mapping) else None
    is_valid = isinstance(section, Mapping) and isinstance(section.get("reader", section.get("name")), str)
    return section if is_valid else None


def data_name(section: Mapping[str, Any]) -> str:
    """What messages call the data of a section: the name of its file or folder, else of the data set."""
    paths = paths_in(section)
    return base_name(next(iter(paths.values()))) if paths else str(section.get("name"))


def run_of(weights: str) -> Run | None:
    """The run that a weights file is in, or that has checkpoints to answer from, if there is one."""
    path = Path(weights).expanduser()
    run = Run(path if path.is_dir() else path.parent)
    is_run = run.config.exists() and (run.metrics.exists() or run.samples.exists())
    return run if is_run and weights not in list_pretrained() else None


def locate_training_data(card: Mapping[str, Any], run: Run | None, weights: str) -> dict[str, Any]:
    """The data section that a model was trained with, with paths of files that exist.

    A card has only the names of files; the run folder has their paths.

    Raises:
        UserError: when a file does not exist any more.
    """
    section = dict(data_section(card, weights))
    in_run = run.read_config().get("data") if run else {}
    if isinstance(in_run, Mapping):
        section |= {key: _relocate(path) for key, path in paths_in(in_run).items() if key in section}
    missing = [
        path for key, path in paths_in(section).items() if key != "labels" and not Path(path).expanduser().exists()
    ]
    if missing:
        raise UserError(
            f"{weights} was trained on {missing[0]}, which does not exist; evaluate in the folder that has it now, "
            f"or say what to measure on: data={section.get('reader', section.get('name'))} data.path="
        )
    return section


def _relocate(path: str) -> str:
    """`relocated`, with a line if the file is found at another place."""
    place = relocated(path)
    if not Path(path).expanduser().exists() and place != path:
        rank_zero_print(f"{path} does not exist; using {place}")
    return place
