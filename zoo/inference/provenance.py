"""Which data a model was trained on, and which samples it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.config_paths import base_name, map_paths, paths_in, relocated
from zoo.core.errors import UserError
from zoo.core.rank_zero import rank_zero_print
from zoo.core.run_folder import Run
from zoo.data.fingerprints import SplitHashes, read_hashes, sample_hashes
from zoo.data.leakage import seen_hashes, without_seen
from zoo.data.module import what_decides
from zoo.data.splits import Split, Splits
from zoo.inference.predictor import Predictor
from zoo.inference.pretrained import list_pretrained
from zoo.tasks import TASKS


def held_out(splits: Splits, seen: SplitHashes) -> Splits:
    """The splits, each less the samples whose keys were `seen` before it; says how many are left out.

    Raises:
        UserError: where none is left, or it cannot be told, as of a text that is cut elsewhere.
    """
    parts: dict[str, Any] = {name: _less(splits, name, keys) for name, keys in seen.items() if len(keys)}
    return replace(splits, **parts)


def _less(splits: Splits, name: str, seen: np.ndarray) -> Split:
    split: Any = getattr(splits, name)
    if TASKS.get(splits.spec.task).stream or sample_hashes(split) is None:
        raise UserError(
            f"which parts of {splits.spec.name} the training saw cannot be told now; take other data, or train anew"
        )
    rest: Any = without_seen(split, seen)
    n = len(split) - len(rest)
    if not len(rest):
        raise UserError(
            f"all {n:,} samples of the {name} split were seen in training, which leaves nothing to measure on"
        )
    if n:
        rank_zero_print(f"left out of the {name} split, as they were seen in training: {n:,} of {len(split):,} samples")
    return rest


def place_of(data: Mapping[str, Any]) -> str:
    """What to call the data of a section: by the file or folder, else by the name."""
    paths = paths_in(data)
    return base_name(next(iter(paths.values()))) if paths else str(data.get("name"))


def run_of(weights: str) -> Run | None:
    """The folder of the finished run that a release file lies in, where it does."""
    path = Path(weights).expanduser()
    run = Run(path if path.is_dir() else path.parent)
    is_one = run.config.exists() and run.metrics.exists()
    return run if is_one and weights not in list_pretrained() else None


def data_of(card: Mapping[str, Any], weights: str | Path) -> Mapping[str, Any]:
    """The data section that a model was trained with, by its card.

    Raises:
        UserError: where the card has none.
    """
    data = _told_data(card)
    if data is None:
        raise UserError(f"{weights} does not say which data it was trained on; say what to measure on: data=<name>")
    return data


def _told_data(card: Mapping[str, Any]) -> Mapping[str, Any] | None:
    config = card.get("config")
    data = config.get("data") if isinstance(config, Mapping) else None
    return data if isinstance(data, Mapping) and isinstance(data.get("reader", data.get("name")), str) else None


def trained_on(card: Mapping[str, Any], run: Run | None, weights: str) -> dict[str, Any]:
    """The data section that a model was trained with; where its files are, the run folder alone knows.

    Raises:
        UserError: where a file of them is not there.
    """
    data = dict(data_of(card, weights))
    own = run.read_config().get("data") if run else {}
    if isinstance(own, Mapping):
        data |= {key: _there(path) for key, path in paths_in(own).items() if key in data}
    gone = [path for key, path in paths_in(data).items() if key != "labels" and not Path(path).expanduser().exists()]
    if gone:
        raise UserError(
            f"{weights} was trained on {gone[0]}, which is not there; evaluate in the folder that has it now, or "
            f"say what to measure on: data={data.get('reader', data.get('name'))} data.path="
        )
    return data


def _there(path: str) -> str:
    """`relocated`, and said where it is another place than the one noted."""
    place = relocated(path)
    if not Path(path).expanduser().exists() and place != path:
        rank_zero_print(f"{path} is not there; taking {place}")
    return place


def tell_seen(trained: Predictor, name: str, splits: Splits, data: Mapping[str, Any]) -> None:
    """Print a note where a model was trained on other splits of the same data, and knows what others hold out.

    Args:
        trained: the model.
        name: that its user knows it by.
        splits: of the data.
        data: a config's data section.
    """
    known = _told_data(trained.card)
    if tell_known(name, [splits.val, splits.test]) or known is None:
        return
    ours, theirs = (map_paths(what_decides(one), base_name) for one in (data, known))
    differing = [key for key in ours if ours[key] != theirs.get(key)]
    origins = {source.partition(";")[0] for source in (splits.spec.source, trained.spec.source)}
    if differing and len(origins) == 1 and "path" not in differing:
        told = ", ".join(f"data.{key}={theirs.get(key)}" for key in differing)
        rank_zero_print(f"note: {name} was trained with {told} and may have seen samples that are held out here")


def tell_known(name: str, splits: Sequence[Split]) -> bool:
    """Whether the run folder of a model knows what it was trained on; prints a note where that is measured on here."""
    run = run_of(name)
    seen = seen_hashes(read_hashes(run.samples) if run else {}, "test")
    keys = [found for split in splits if (found := sample_hashes(split)) is not None] if len(seen) else []
    if not keys:
        return False
    known = np.isin(np.concatenate(keys), seen)
    if known.any():
        rank_zero_print(
            f"note: {name} was trained on {known.sum():,} of the {len(known):,} samples that are measured on here"
        )
    return True
