"""Cut the samples that are not for testing into folds, each of which validates a model that the others train."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from zoo.core.errors import UserError
from zoo.data.random_split import stratified_positions
from zoo.data.splits import Split, Splits, TensorSplit
from zoo.data.stored import StoredSplit
from zoo.tasks import TASKS


def fold_splits(splits: Splits, fold: int, n_folds: int, seed: int = 0) -> Splits:
    """Validate on one fold of the training and validation samples, and train on the others; the test split stays.

    The folds are drawn at random: with equal shares of each class, or with the samples of a group together where the
    splits keep groups. All folds share the spec, which describes the training split of before: how a column is read
    and which categories it has, nothing that is fitted.

    Args:
        splits: the data.
        fold: from 0.
        n_folds: folds.
        seed: of the random order.

    Raises:
        UserError: for data in an order, such as time, and for more folds than samples, groups, or samples of a class.
    """
    if splits.in_order:
        raise UserError(
            f"folds= needs samples that are split at random; {splits.spec.name} is split in its order, where later "
            "samples validate: leave out folds="
        )
    folds = _fold_of_each(splits, n_folds, np.random.default_rng(seed))
    samples = _join(splits.train, splits.val)
    train, val = (_select(samples, np.flatnonzero(part)) for part in (folds != fold, folds == fold))
    return replace(splits, train=train, val=val)


def split_seed(section: Mapping[str, Any]) -> int:
    """The seed of the folds of a config's data section: that of its split."""
    seed = section.get("split_seed")
    return seed if isinstance(seed, int) else 0


def _fold_of_each(splits: Splits, n_folds: int, random: np.random.Generator) -> np.ndarray:
    """The fold (n,) of each training and validation sample, in this order."""
    n = len(splits.train) + len(splits.val)  # type: ignore[arg-type]
    if splits.groups is not None:
        return _whole_groups(splits.groups, n_folds, random)
    order = random.permutation(n)
    if not TASKS.get(splits.spec.task).stratified:
        _check(n_folds, n, "samples to train and validate")
        return np.argsort(order) * n_folds // n
    classes = np.concatenate([_targets(splits.train), _targets(splits.val)])
    values, counts = np.unique(classes, return_counts=True)
    rarest = splits.spec.class_names[int(values[counts.argmin()])]
    _check(n_folds, int(counts.min()), f"samples of the rarest class, {rarest!r},", "; or join rare classes")
    return np.floor(stratified_positions(classes, order) * n_folds).astype(int)


def _whole_groups(groups: np.ndarray, n_folds: int, random: np.random.Generator) -> np.ndarray:
    """The fold (n,) of each sample, by its group (n,): the largest group first, each into the smallest fold so far."""
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    _check(n_folds, len(counts), "groups to train and validate")
    fold_of_group, sizes = np.empty(len(counts), int), np.zeros(n_folds, int)
    shuffled = random.permutation(len(counts))
    for one in shuffled[np.argsort(-counts[shuffled], kind="stable")]:
        fold_of_group[one] = sizes.argmin()
        sizes[fold_of_group[one]] += counts[one]
    return fold_of_group[group]


def _check(n_folds: int, n: int, what: str, hint: str = "") -> None:
    if n_folds > n:
        fix = f"take folds={n}{hint}" if n > 1 else f"leave out folds={hint}"
        raise UserError(f"folds= is at most the number of {what} {n:,}; got {n_folds}\n{fix}")


def _targets(split: Split) -> np.ndarray:
    """The classes (n,) of a split."""
    if isinstance(split, TensorSplit):
        return split.columns["target"].numpy()
    if isinstance(split, StoredSplit):
        return split.target.numpy()
    return np.array([int(split[index]["target"]) for index in range(len(split))])  # type: ignore[arg-type]


def _join(first: Any, second: Any) -> Split:
    """The samples of two splits, one after the other."""
    if isinstance(first, TensorSplit) and isinstance(second, TensorSplit):
        joined = TensorSplit(
            **{name: torch.cat([value, second.columns[name]]) for name, value in first.columns.items()}
        )
        hashes = [split.stored.input_hashes for split in (first, second) if split.stored is not None]
        return joined.with_hashes(np.concatenate(hashes) if len(hashes) == 2 else None)
    if isinstance(first, StoredSplit) and isinstance(second, StoredSplit) and first.columns == second.columns:
        index, target = np.concatenate([first.index, second.index]), torch.cat([first.target, second.target])
        return StoredSplit(index, target, **first.columns)
    return ConcatDataset([first, second])


def _select(samples: Split, index: np.ndarray) -> Split:
    if isinstance(samples, TensorSplit):
        return samples.subset(index)
    if isinstance(samples, StoredSplit):
        return StoredSplit(samples.index[index], samples.target[index], **samples.columns)
    return Subset(samples, index.tolist())
