"""Leakage: samples of a held-out split that the model was trained or selected on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from torch.utils.data import Subset

from zoo.core.console import echo
from zoo.data.fingerprints import SPLIT_ORDER, sample_hashes
from zoo.data.hashing import input_hashes_in_memory
from zoo.data.splits import Split, Splits, TensorSplit

REMOVE = "remove the duplicates"


def report_duplicates(splits: Splits, *, advice: str = REMOVE) -> None:
    """Report how many samples of val and test have the inputs of an earlier one; skip splits on disk."""
    report_duplicate_hashes(*map(input_hashes_in_memory, (splits.train, splits.val, splits.test)), advice=advice)


def report_duplicate_hashes(train: ArrayLike, val: ArrayLike, test: ArrayLike, *, advice: str = REMOVE) -> None:
    """Report how many hashes of `val` and `test` an earlier split holds as well."""
    trained, validated, tested = (np.asarray(hashes, np.uint64) for hashes in (train, val, test))
    n_val = np.isin(validated, trained).sum()
    n_test = np.isin(tested, np.concatenate([trained, validated])).sum()
    if n_val or n_test:
        echo(f"duplicates across splits: {n_val:,} samples of val and {n_test:,} of test have the same inputs as one "
              f"of an earlier split, so metrics are optimistic; {advice}")  # fmt: skip


def seen_hashes(hashes: Mapping[str, np.ndarray], split: str) -> np.ndarray:
    """Join the hashes of all samples that a model has seen before it is measured on a split: those of the earlier
    splits, and those of earlier trainings on other data."""
    names = (*SPLIT_ORDER[: SPLIT_ORDER.index(split)], earlier_hashes_key(split))
    return np.concatenate([np.empty(0, np.uint64), *(hashes[name] for name in names if name in hashes)])


def earlier_hashes_key(split: str) -> str:
    """The key of the hashes that earlier trainings on other data had seen before they were measured on a split."""
    return f"seen before {split}"


def without_seen(split: Split, seen: np.ndarray) -> Split:
    """Remove the samples whose hashes are among `seen`, and those that overlap with one, as windows of a series do."""
    hashes = sample_hashes(split)
    assert hashes is not None
    is_seen, reach = np.isin(hashes, seen), getattr(split, "reach", 0)
    n_seen = np.concatenate([[0], np.cumsum(is_seen)])
    index = np.arange(len(hashes))
    n_near = n_seen[np.minimum(index + reach + 1, len(hashes))] - n_seen[np.maximum(index - reach, 0)]
    if not n_near.any():
        return split
    unseen = np.flatnonzero(n_near == 0)
    return split.subset(unseen) if type(split) is TensorSplit else Subset(split, unseen.tolist())
