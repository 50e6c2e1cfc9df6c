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
    n_carved = int(size) if size >= 1 else math.ceil(size * n)
    if stratify is not None and 0 < n_carved < n and _too_small(stratify, min(n_carved, n - n_carved)):
        order = np.random.default_rng(seed).permutation(n)
        positions = np.where(is_only_of_class(stratify), 1, stratified_positions(stratify, order))
        ordered = order[np.argsort(positions[order], kind="stable")]
        return ordered[n_carved:], ordered[:n_carved]
    if not 0 < n_carved < n:
        raise ValueError(f"of {n:,} samples, from 1 to {n - 1:,} can be carved out; got {n_carved:,}")
    return _draw(n, n_carved, np.random.RandomState(seed), stratify)


def _draw(
    n: int, n_carved: int, rng: np.random.RandomState, classes: Tensor | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw (rest, carved) as scikit-learn's `train_test_split` does, whose import takes as long as half of torch's."""
    if classes is None:
        order = rng.permutation(n)
        return order[n_carved:], order[:n_carved]
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    n_rest_of = _proportional(counts, n - n_carved, rng)
    n_carved_of = _proportional(counts - n_rest_of, n_carved, rng)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    shuffled = [rows[rng.permutation(len(rows))] for rows in members]
    parts = [(rows[:k], rows[k : k + m]) for rows, k, m in zip(shuffled, n_rest_of, n_carved_of, strict=True)]
    rest, carved = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rng.permutation(rest), rng.permutation(carved)


def _proportional(counts: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """How many of `n` samples each class of `counts` gets; the largest remainders are rounded up, ties at random."""
    exact = counts / counts.sum() * n
    whole = np.floor(exact)
    lacking = int(n - whole.sum())
    for remainder in np.unique(exact - whole)[::-1] if lacking > 0 else ():
        (ties,) = np.where(exact - np.floor(exact) == remainder)
        raised = rng.choice(ties, size=min(len(ties), lacking), replace=False)
        whole[raised] += 1
        lacking -= len(raised)
        if lacking == 0:
            break
    return whole.astype(int)


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
