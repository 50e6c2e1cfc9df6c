"""Split the rows of a table into train, validation and test."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo.core.errors import UserError, unknown_name
from zoo.data.random_split import check_shares, is_only_of_class, stratified_positions

SPLIT_KINDS = ("random", "stratified", "group", "time")
MIN_SPLIT_ROWS = 2  # of a split, so that every metric is defined


class SplitRows(NamedTuple):
    """The rows of each split, in the table's order."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """How rows are split.

    Args:
        kind: "random"; "stratified", with equal shares of each class; "group", a group's rows together; "time", the
            latest rows test and those before them validate.
        val_share: share of the rows that validate.
        test_share: share of the rows that test; None if another file tests.
        split_seed: of the random order.
        fold: test on this one of `n_folds` parts, from 0, each of which is tested once; None makes no folds.
        n_folds: parts.
    """

    kind: str
    val_share: float = 0.2
    test_share: float | None = 0.2
    split_seed: int = 0
    fold: int | None = None
    n_folds: int = 5


def split_rows(plan: SplitPlan, by: np.ndarray) -> SplitRows:
    """Split the rows 0..n-1.

    Args:
        plan: how.
        by: (n,) the class, group or time of each row, as a number; ignored for a random split.

    Raises:
        UserError: for impossible shares or folds, and for a split of fewer than two rows.
    """
    _check_plan(plan, len(by))
    order = np.random.default_rng(plan.split_seed).permutation(len(by))
    position = _positions(plan.kind, by, order)
    if plan.fold is None:
        test_share = plan.test_share or 0
        if plan.kind == "stratified":
            position[is_only_of_class(by)] = 1  # trains
        test = position < test_share
        val = ~test & (position < plan.val_share + test_share)
    else:
        test = np.floor(position * plan.n_folds) == plan.fold
        val = ~test & ((position - (plan.fold + 1) / plan.n_folds) % 1 < plan.val_share)
    rows = SplitRows(*(np.flatnonzero(mask) for mask in (~test & ~val, val, test)))
    if min(map(len, rows if plan.fold is not None or plan.test_share else rows[:2])) < MIN_SPLIT_ROWS:
        sizes = " / ".join(str(len(part)) for part in rows)
        raise UserError(f"each split has at least {MIN_SPLIT_ROWS} rows; split={plan.kind} gives {sizes} of {len(by)} "
                        "rows\nchange data.val_share, data.test_share or data.split")  # fmt: skip
    return rows


def _check_plan(plan: SplitPlan, n: int) -> None:
    if plan.kind not in SPLIT_KINDS:
        raise unknown_name("split", plan.kind, SPLIT_KINDS)
    if plan.fold is not None:
        check_fold(plan.fold, plan.n_folds, n)
    elif plan.test_share is not None:
        check_shares(plan.val_share, plan.test_share)
    if plan.fold is not None and plan.kind == "time":
        raise UserError("a split by time tests on the latest rows and has no folds; leave out data.fold")


def check_fold(fold: object, n_folds: int, n: int) -> None:
    """Raise UserError unless `n` rows have `n_folds` folds and `fold` is one of them."""
    if not (2 <= n_folds <= n and isinstance(fold, int) and 0 <= fold < n_folds):
        raise UserError(f"data.n_folds is from 2 to the number of rows, {n:,}, and data.fold from 0 to n_folds - 1; "
                        f"got n_folds={n_folds} and fold={fold}")  # fmt: skip


def _positions(kind: str, by: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Place the rows between 0 and 1 (n,) so that any interval holds its share of them, as `kind` asks."""
    if kind == "random":
        return (np.argsort(order) + 0.5) / len(order)
    if kind == "stratified":
        return stratified_positions(by, order)
    _, unit, counts = np.unique(by, return_inverse=True, return_counts=True)
    if kind == "time":
        units = np.arange(len(counts))[::-1]  # latest first
    else:
        _, first = np.unique(unit[order], return_index=True)
        units = np.argsort(first)  # groups at random
    middles = np.empty(len(counts))
    middles[units] = np.cumsum(counts[units]) - counts[units] / 2
    return middles[unit] / len(by)
