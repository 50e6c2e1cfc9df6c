"""Which rows of a table train, validate and test."""

from typing import NamedTuple

import numpy as np

from zoo.core.errors import UserError
from zoo.data.random_split import check_shares, is_only_of_class, stratified_positions

MIN_ROWS = 2  # rows of a split, so that every metric is defined


class SplitRows(NamedTuple):
    """The rows of each split, in the table's order."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def split_rows(
    split: str,
    by: np.ndarray,
    *,
    val_share: float,
    test_share: float | None,
    split_seed: int,
    fold: int | None = None,
    n_folds: int = 5,
) -> SplitRows:
    """Part the rows 0..n-1.

    Args:
        split: "random"; "stratified", each class as all; "group", a group's rows together; "time", the latest rows
            test and those before them validate.
        by: (n,) the class, group or time of each row, as a number; of any content for "random".
        val_share: share of the rows that validate.
        test_share: share of the rows that test; None where others do.
        split_seed: of the random order.
        fold: test on this one of `n_folds` parts, each of which is tested once; from 0.
        n_folds: parts.

    Raises:
        UserError: for shares or a fold there cannot be, and for a split of fewer than two rows.
    """
    if fold is not None:
        check_fold(fold, n_folds, len(by))
    elif test_share is not None:
        check_shares(val_share, test_share)
    if fold is not None and split == "time":
        raise UserError("a split by time tests on the latest rows and has no folds; leave out data.fold")
    order = np.random.default_rng(split_seed).permutation(len(by))
    place = _place(split, by, order)  # in 0..1
    if fold is None:
        if split == "stratified":
            place[is_only_of_class(by)] = 1  # it trains
        test = place < (test_share or 0)
        val = ~test & (place < val_share + (test_share or 0))
    else:
        test = np.floor(place * n_folds) == fold
        val = ~test & ((place - (fold + 1) / n_folds) % 1 < val_share)
    rows = SplitRows(*(np.flatnonzero(mask) for mask in (~test & ~val, val, test)))
    if min(map(len, rows if fold is not None or test_share else rows[:2])) < MIN_ROWS:
        sizes = " / ".join(str(len(part)) for part in rows)
        raise UserError(f"each split has {MIN_ROWS} rows at least; split={split} gives {sizes} of {len(by)} rows\n"
                        "change data.val_share, data.test_share or data.split")  # fmt: skip
    return rows


def check_fold(fold: object, n_folds: int, n: int) -> None:
    """Raise UserError unless `n` rows have `n_folds` folds and `fold` is one of them."""
    if not (2 <= n_folds <= n and isinstance(fold, int) and 0 <= fold < n_folds):
        raise UserError(f"data.n_folds is from 2 to the number of rows, {n:,}, and data.fold from 0 to n_folds - 1; "
                        f"got n_folds={n_folds} and fold={fold}")  # fmt: skip


def _place(split: str, by: np.ndarray, order: np.ndarray) -> np.ndarray:
    """A number from 0 to 1 for each row, so that any interval holds its share of the rows, as `split` asks."""
    if split == "random":
        return (np.argsort(order) + 0.5) / len(order)
    if split == "stratified":
        return stratified_positions(by, order)
    _, unit, counts = np.unique(by, return_inverse=True, return_counts=True)
    if split == "time":
        first = np.arange(len(counts))[::-1]  # the latest
    else:
        _, seen = np.unique(unit[order], return_index=True)
        first = np.argsort(seen)  # groups at random
    middles = np.empty(len(counts))
    middles[first] = np.cumsum(counts[first]) - counts[first] / 2
    return middles[unit] / len(by)
