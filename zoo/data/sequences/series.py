"""A series of the user's own, to be forecast: a table whose rows follow each other in time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from zoo.data import DATA, Facts
from zoo.data.plain import texts
from zoo.data.sequences._sequences import fill_gaps
from zoo.data.sequences._series import read_series
from zoo.data.sequences._windows import series_splits
from zoo.data.splits import Splits, check_shares
from zoo.data.tabular._values import extent
from zoo.errors import UserError
from zoo.spec import Column, float_type
from zoo.terminal import print

FACTS = Facts(
    task="forecasting",
    rows="70 / 10 / 20 % of the steps",
    inputs="series of any channels, from a table",
    licence="yours",
    source="yours",
)


@DATA.register("series")
def series(
    *,
    path: str | None = None,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    look_back: int = 96,
    horizon: int = 24,
    val_share: float = 0.1,
    test_share: float = 0.2,
) -> Splits:
    """Windows of a table's columns, split by time; the last steps are the test split.

    Args:
        path: of the table.
        columns: to look back on and to forecast; None takes all numbers.
        time: the column of dates; None takes the first there is, or the order of the rows.
        look_back: steps that are seen.
        horizon: steps to forecast.
        val_share: share of the steps.
        test_share: share of the steps.
    """
    if path is None:
        raise UserError("say which table: data=series data.path=power.csv")
    check_shares(val_share, test_share)
    columns = None if columns is None else texts(columns)
    time = None if time is None else str(time)
    frame = read_series(Path(path).expanduser(), columns, time)
    ends = [round(len(frame) * share) for share in (1 - val_share - test_share, 1 - test_share, 1)]
    ranges = [extent(column) for column in frame.to_numpy()[: ends[0]].T]
    values = _filled(frame.to_numpy(float_type(*ranges)), ends, path)
    _check_constant(list(frame.columns), values[: ends[0]])
    return series_splits(
        Path(path).name.split(".")[0],
        torch.from_numpy(values),
        [Column(str(name), range=one) for name, one in zip(frame.columns, ranges, strict=True)],
        ends,
        look_back,
        horizon,
        reading={"date_column": time},
        licence=FACTS.licence,
        source=path,
    )


def _filled(values: np.ndarray, ends: Sequence[int], path: str) -> np.ndarray:
    """Missing values filled in within each split, so that none learns from another."""
    gaps, parts = np.isnan(values), np.split(values, ends[:-1])
    if any(len(part) and np.isnan(part).all(0).any() for part in parts):
        raise UserError(f"{path}: a column has no value at all in a split; leave it out with data.columns=[...]")
    if gaps.any():
        print(f"{path}: {int(gaps.sum()):,} missing values are filled in between their neighbours")
    return np.concatenate([fill_gaps(part) for part in parts])


def _check_constant(columns: Sequence[str], values: np.ndarray) -> None:
    """Name the columns whose `values` (n_steps, n_columns) in the training split are all one; refuse if all are."""
    constant = [name for name, column in zip(columns, values.T, strict=True) if len(set(column.tolist())) == 1]
    if len(constant) == len(columns):
        raise UserError(f"there is nothing to learn: the training split has one value only, in {', '.join(constant)}")
    if constant:
        print(f"one value only in the training split: {', '.join(constant)}; data.columns=[...] takes others alone")
