"""Fingerprints of data: hashes of the samples of each split, by which changed data are noticed after a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Subset

from zoo.core.atomic_files import write_atomically
from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX
from zoo.data.hashing import combine_hashes, hash_rows, input_hashes
from zoo.data.splits import Batch, Split, Splits, TensorSplit, batches
from zoo.data.stored import StoredSplit

SPLIT_ORDER = ("train", "val", "test")
SplitHashes = Mapping[str, np.ndarray]  # by the name of the split, (n,) uint64 each


def sample_hashes(split: Split) -> np.ndarray | None:
    """Hash each sample's inputs and target (n,); None for a user's own class of splits.

    The hash of an image is that of its file, so that it does not depend on the decoder.
    """
    if isinstance(split, Subset):
        hashes = sample_hashes(split.dataset)
        return None if hashes is None else hashes[np.asarray(split.indices, dtype=np.int64)]
    if isinstance(split, TensorSplit):
        targets = np.concatenate([hash_rows(_unpadded(batch).numpy()) for batch in batches(split)])
        return combine_hashes([input_hashes(split), targets])
    if isinstance(split, StoredSplit):
        return combine_hashes([split.input_hashes, hash_rows(split.target.numpy())])
    return None


def _unpadded(batch: Batch) -> Tensor:
    """The targets, with 0 instead of padding where each step of sequences of any lengths has one."""
    target = batch["target"]
    if "lengths" not in batch or target.dim() - target.is_floating_point() != 2:
        return target
    return target.nan_to_num() if target.is_floating_point() else target.masked_fill(target == IGNORE_INDEX, 0)


def split_hashes(splits: Splits) -> dict[str, np.ndarray]:
    """Hash the samples of each split; splits that have no hashes are left out."""
    hashes = {name: sample_hashes(getattr(splits, name)) for name in SPLIT_ORDER}
    return {name: values for name, values in hashes.items() if values is not None}


def fingerprints(hashes: SplitHashes) -> dict[str, dict[str, Any]]:
    """Summarise each split as its number of samples and one hash, which does not depend on their order."""
    present = [name for name in SPLIT_ORDER if name in hashes]
    return {name: {"n": len(hashes[name]), "hash": _one_hash(hashes[name])} for name in present}


def _one_hash(hashes: np.ndarray) -> str:
    return f"{hash_rows(np.sort(hashes)[None])[0]:016x}"


def describe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe which splits have other fingerprints than before; "" if none has."""
    changed = [name for name in SPLIT_ORDER if name in before and name in now and before[name] != now[name]]
    return ", ".join(_describe_change(name, _n_samples(before[name]), _n_samples(now[name])) for name in changed)


def _describe_change(name: str, before: str, now: str) -> str:
    return f"{name} has {now} other samples" if before == now else f"{name} had {before} and has {now}"


def _n_samples(fingerprint: Any) -> str:
    is_known = isinstance(fingerprint, Mapping) and isinstance(fingerprint.get("n"), int)
    return f"{fingerprint['n']:,}" if is_known else "other"


def write_hashes(path: Path, hashes: SplitHashes) -> None:
    """Write hashes to an .npz file, whole or not at all."""
    write_atomically(path, lambda file: np.savez(file, **dict(hashes)))  # type: ignore[arg-type]


def read_hashes(path: Path) -> dict[str, np.ndarray]:
    """Read the hashes of a file; empty if it does not exist."""
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.uint64) for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged; without it, it is not known which samples the training saw") from error
