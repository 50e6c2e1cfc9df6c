"""Random splits, stratified by class where there are classes."""

import math

import numpy as np
from torch import Tensor

from zoo.core.errors import UserError


def check_shares(val_share: float, test_share: float) -> None:
    """Raise UserError unless the shares leave samples for each split."""
    shares = (val_share, test_share)
    if not (all(isinstance(share, int | float) and share > 0 for share in shares) and sum(shares) < 1):
        raise UserError(
            f"data.val_share and data.test_share are above 0, and below 1 together; got {val_share} and {test_share}"
        )


def carve(
    n: int, size: int | float, *, seed: int = 0, stratify: Tensor | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split the indices 0..n-1 at random into (rest, carved).

    Args:
        n: samples.
        size: samples to carve out, or their share if below 1.
        seed: of the split; never that of a training.
        stratify: classes (n,) whose shares both parts keep; a class of a single sample stays in the rest.
    """
    from sklearn.model_selection import train_test_split

    n_carved = int(size) if size >= 1 else math.ceil(size * n)
    if stratify is not None and 0 < n_carved < n and _too_small(stratify, min(n_carved, n - n_carved)):
        order = np.random.default_rng(seed).permutation(n)
        positions = np.where(is_only_of_class(stratify), 1, stratified_positions(stratify, order))
        ordered = order[np.argsort(positions[order], kind="stable")]
        return ordered[n_carved:], ordered[:n_carved]
    rest, carved = train_test_split(np.arange(n), test_size=size, random_state=seed, stratify=stratify)
    return rest, carved


def _too_small(classes: Tensor | np.ndarray, n: int) -> bool:
    """Whether scikit-learn refuses to stratify by `classes` (n,) if the smaller part has `n` samples."""
    counts = np.unique(classes, return_counts=True)[1]
    return bool(counts.min() < 2 or len(counts) > n)


def is_only_of_class(classes: Tensor | np.ndarray) -> np.ndarray:
    """Mask (n,) of samples that are the only one of their class."""
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return counts[inverse] == 1


def stratified_positions(classes: Tensor | np.ndarray, order: np.ndarray) -> np.ndarray:
    """Place the samples between 0 and 1 (n,) so that any interval holds its share of each class, up to one sample.

    Classes of equal size start at different offsets, as they would all be rounded the same way otherwise.

    Args:
        classes: of the samples (n,).
        order: a random permutation of the samples (n,).
    """
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    _, first = np.unique(inverse[order], return_index=True)
    rank, n_equal = _ranks(counts, np.argsort(first))
    offsets = (rank + 0.5) / n_equal
    return (_ranks(inverse, order)[0] + offsets[inverse]) / counts[inverse]


def _ranks(groups: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank each sample by `order` within its group, from 0; also return the size of its group, both (n,)."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    ordered = order[np.argsort(inverse[order], kind="stable")]  # group by group
    ranks = np.empty(len(groups))
    ranks[ordered] = np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks, counts[inverse]
