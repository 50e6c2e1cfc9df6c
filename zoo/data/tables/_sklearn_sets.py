"""The tables that come through scikit-learn, inside the package or fetched: no official split, so split at random."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from zoo.data import Facts
from zoo.data.random_split import carve
from zoo.data.splits import Splits
from zoo.data.tables._row_splits import check_fold
from zoo.data.tables._table import table_splits


def sklearn_splits(
    name: str,
    bunch: Any,
    facts: Facts,
    *,
    target: str,
    split_seed: int,
    fold: int | None,
    n_folds: int,
    classes: Sequence[Any] | None = None,
) -> Splits:
    """The splits of a scikit-learn data set whose columns are all numbers, split by `random_split`.

    Args:
        name: of the data set.
        bunch: what scikit-learn's loader gives.
        facts: of the data set.
        target: what is predicted, with its unit if it has one.
        split_seed: of the split.
        fold: of `n_folds`, which one is the test split; None for the plain split.
        n_folds: folds.
        classes: their names, in the order of the codes.
    """
    frame = pd.DataFrame(bunch.data, columns=[str(column) for column in bunch.feature_names])
    kinds = dict.fromkeys(frame.columns, "numeric")
    labels, names = bunch.target, None if classes is None else [str(name) for name in classes]
    stratify = None if classes is None else labels
    train, val, test = random_split(len(frame), split_seed=split_seed, fold=fold, n_folds=n_folds, stratify=stratify)
    return table_splits(
        name,
        frame.assign(**{target: labels if names is None else np.array(names)[labels]}),
        target,
        train=train,
        val=val,
        test=test,
        kinds=kinds,
        task=facts.task,
        class_names=names,
        licence=facts.licence,
        source=facts.source,
    )


def random_split(
    n: int, *, split_seed: int, fold: int | None, n_folds: int, stratify: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of train, val and test: 60 % / 20 % / 20 %; or one fold of several as test, and a fifth of the rest as
    val. All are stratified where classes (n,) are given."""
    if fold is None:
        (rest, test), share = carve(n, 0.2, seed=split_seed, stratify=stratify), 0.25
    else:
        (rest, test), share = _fold(n, split_seed, fold, n_folds, stratify), 0.2
    train, val = carve(len(rest), share, seed=split_seed, stratify=None if stratify is None else stratify[rest])
    return rest[train], rest[val], test


def _fold(n: int, split_seed: int, fold: int, n_folds: int, stratify: np.ndarray | None) -> tuple[np.ndarray, ...]:
    from sklearn.model_selection import KFold, StratifiedKFold

    check_fold(fold, n_folds, n)
    folds = (KFold if stratify is None else StratifiedKFold)(n_folds, shuffle=True, random_state=split_seed)
    return list(folds.split(np.arange(n), stratify))[fold]
