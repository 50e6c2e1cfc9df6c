"""Tables that come with scikit-learn: they have no official split, so they are split at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.data.random_split import carve
from zoo.data.registry import Facts
from zoo.data.splits import Splits
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._row_splits import SplitRows, check_fold


@dataclass(frozen=True, kw_only=True)
class FoldOptions:
    """Options of a random split.

    Args:
        split_seed: of the split.
        fold: test on this one of `n_folds` folds, from 0; None makes no folds.
        n_folds: folds.
    """

    split_seed: int = 0
    fold: int | None = None
    n_folds: int = 5


def sklearn_splits(
    name: str, bunch: Any, facts: Facts, options: FoldOptions, *, target: str, classes: Sequence[Any] | None = None
) -> Splits:
    """Build the splits of a scikit-learn data set whose columns are all numbers.

    Args:
        name: of the data set.
        bunch: what scikit-learn's loader returns.
        facts: of the data set.
        options: of the split.
        target: what is predicted, with its unit if it has one.
        classes: their names, in the order of the codes; None for numbers.
    """
    columns = {str(name): pa.array(values) for name, values in zip(bunch.feature_names, bunch.data.T, strict=True)}
    kinds = dict.fromkeys(columns, "numeric")
    labels, names = bunch.target, None if classes is None else [str(name) for name in classes]
    frame = pa.table({**columns, target: pa.array(labels if names is None else np.array(names)[labels])})
    rows = random_split(len(frame), options, None if classes is None else labels)
    return build_splits(TableData(name, frame, target, facts, kinds=kinds, class_names=names), rows)


@dataclass(frozen=True)
class Bunch:
    """What scikit-learn's loaders return: values (n, n_columns), their headings, and the targets (n,)."""

    data: np.ndarray
    feature_names: Sequence[str]
    target: np.ndarray


def read_sklearn_csv(file: str, feature_names: Sequence[str]) -> Bunch:
    """Read a file of scikit-learn's folder of data sets, as its loaders do, without importing it: that takes as long as
    half of torch's."""
    package = find_spec("sklearn")
    assert package is not None and package.origin is not None  # it is a dependency
    path = Path(package.origin).parent / "datasets" / "data" / file
    rows = np.loadtxt(path, delimiter=",", skiprows=1)  # its first row is their sizes and the names of the classes
    return Bunch(rows[:, :-1], feature_names, rows[:, -1].astype(int))


def random_split(n: int, options: FoldOptions, stratify: np.ndarray | None = None) -> SplitRows:
    """Split `n` rows 60 % / 20 % / 20 %; or test on one fold and validate on a fifth of the rest.

    All are stratified if classes (n,) are given.
    """
    if options.fold is None:
        (rest, test), share = carve(n, 0.2, seed=options.split_seed, stratify=stratify), 0.25
    else:
        (rest, test), share = _fold(n, options.fold, options, stratify), 0.2
    classes = None if stratify is None else stratify[rest]
    train, val = carve(len(rest), share, seed=options.split_seed, stratify=classes)
    return SplitRows(rest[train], rest[val], test)


def _fold(n: int, fold: int, options: FoldOptions, stratify: np.ndarray | None) -> tuple[np.ndarray, ...]:
    from sklearn.model_selection import KFold, StratifiedKFold

    check_fold(fold, options.n_folds, n)
    kind = KFold if stratify is None else StratifiedKFold
    folds = kind(options.n_folds, shuffle=True, random_state=options.split_seed)
    return list(folds.split(np.arange(n), stratify))[fold]
