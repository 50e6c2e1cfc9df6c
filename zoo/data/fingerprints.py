"""What tells samples and splits apart, by their contents: so data that changed after a training are noticed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Subset

from zoo.core.atomic_files import write_atomically
from zoo.core.errors import UserError
from zoo.data.splits import Split, Splits, TensorSplit, batches, input_keys, joined_keys, row_keys
from zoo.data.stored import StoredSplit

ORDER = ("train", "val", "test")
Keys = Mapping[str, np.ndarray]


def split_keys(split: Split) -> np.ndarray | None:
    """A key (n,) of each sample's inputs and target, the same on every machine; None for a split of a user's own class.

    That of a file of an image is the file's, so that it is the same whatever decodes it.
    """
    if isinstance(split, Subset):
        keys = split_keys(split.dataset)
        return None if keys is None else keys[np.asarray(split.indices, dtype=np.int64)]
    if isinstance(split, TensorSplit):
        targets = np.concatenate([row_keys(batch["target"].numpy()) for batch in batches(split)])
        return joined_keys([input_keys(split), targets])
    if isinstance(split, StoredSplit):
        return joined_keys([split.input_keys, row_keys(split.target.numpy())])
    return None


def keys_of(splits: Splits) -> dict[str, np.ndarray]:
    """The keys of the samples of each split, of those that have keys."""
    found = {name: split_keys(getattr(splits, name)) for name in ORDER}
    return {name: keys for name, keys in found.items() if keys is not None}


def fingerprints(keys: Keys) -> dict[str, dict[str, Any]]:
    """How many samples each split has, and a hash of their keys, whatever their order."""
    hashes = {name: f"{row_keys(np.sort(keys[name])[None])[0]:016x}" for name in ORDER if name in keys}
    return {name: {"n": len(keys[name]), "hash": told} for name, told in hashes.items()}


def seen_by(keys: Keys, split: str) -> np.ndarray:
    """The keys of all samples that a model knows before it is measured on a split: those of the splits before it, now
    and in trainings on other data before."""
    names = (*ORDER[: ORDER.index(split)], seen_before(split))
    return np.concatenate([np.empty(0, np.uint64), *(keys[name] for name in names if name in keys)])


def seen_before(split: str) -> str:
    """The name among `Keys` of what trainings on other data knew before they were measured on a split."""
    return f"seen before {split}"


def told_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In words, which splits differ from those of which `before` has the fingerprints; "" where none does."""
    differing = [name for name in ORDER if name in before and name in now and before[name] != now[name]]
    return ", ".join(_told_change(name, _n(before[name]), _n(now[name])) for name in differing)


def _told_change(name: str, before: str, now: str) -> str:
    return f"{name} has {now} samples, others than then" if before == now else f"{name} had {before} and has {now}"


def _n(told: Any) -> str:
    return f"{told['n']:,}" if isinstance(told, Mapping) and isinstance(told.get("n"), int) else "other"


def unseen(split: Split, seen: np.ndarray) -> Split:
    """The samples of a split that are not among those whose keys are `seen`, nor overlap with one, as windows do."""
    keys = split_keys(split)
    assert keys is not None
    known, reach = np.isin(keys, seen), getattr(split, "reach", 0)
    counted = np.concatenate([[0], np.cumsum(known)])
    at = np.arange(len(keys))
    near = counted[np.minimum(at + reach + 1, len(keys))] - counted[np.maximum(at - reach, 0)]
    if not near.any():
        return split
    rest = np.flatnonzero(near == 0)
    return split.subset(rest) if type(split) is TensorSplit else Subset(split, rest.tolist())


def write_keys(path: Path, keys: Keys) -> None:
    """Write the keys of some samples to a file."""
    write_atomically(path, lambda file: np.savez(file, **dict(keys)))  # type: ignore[arg-type]


def read_keys(path: Path) -> dict[str, np.ndarray]:
    """The keys that a file holds; none where it is not there."""
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.uint64) for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged; without it, it is not known which samples the training saw") from error
