"""Drift: how new rows differ from training, by unreadable cells, missing values, new categories, values far outside."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import Column
from zoo.data.columns.arrow import is_missing, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.encode import numeric_names_of
from zoo.data.splits import Batch

FAR_OUTSIDE = 0.5  # of the width of training's range
MAX_LINES = 5  # columns reported for each kind of drift


class UnreadableRows:
    """Collects the rows with unreadable cells, in place of `refuse_cells`, so that the other rows are answered.

    Args:
        n: rows.

    Attributes:
        rows: mask (n,).
        why: the errors.
    """

    def __init__(self, n: int):
        self.rows = np.zeros(n, dtype=bool)
        self.why: list[str] = []

    def __call__(self, rule: str, array: pa.Array, bad: np.ndarray, place: Place, fix: str) -> None:
        """Add the rows of the mask `bad` (n,)."""
        try:
            refuse_cells(rule, array, bad, place, fix)
        except UserError as error:
            self.rows |= bad
            self.why.append(str(error).splitlines()[0])


def report_drift(columns: Sequence[Column], table: pa.Table, batch: Batch, rows: np.ndarray, place: Place) -> None:
    """Report how rows differ from training: a line for each column and kind of drift, at most `MAX_LINES` of a kind.

    Args:
        columns: as training inferred them.
        table: all rows.
        batch: the encoded table.
        rows: mask (n,) of those to look at.
        place: names a row.
    """
    numeric = iter(() if "numeric" not in batch else batch["numeric"].T)
    codes = iter(() if "categorical" not in batch else batch["categorical"].T)
    lines: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        values = [next(codes if column.kind == "categorical" else numeric) for _ in numeric_names_of(column) or [""]]
        array = to_array(table[column.name])
        for kind, mask, what in _kinds_of_drift(column, array, values[0]):
            drifted = np.flatnonzero(mask & rows)
            if len(drifted):
                first = f"{_cell_text(array[drifted[0]])}{place(int(drifted[0]))}"
                lines[kind].append(f"'{column.name}' {what}: {len(drifted):,} of {rows.sum():,} rows, such as {first}")
    for kind, found in lines.items():
        more = [f"{len(found) - MAX_LINES:,} more columns have {kind}"] * (len(found) > MAX_LINES)
        echo(*found[:MAX_LINES], *more, sep="\n")


def _kinds_of_drift(column: Column, array: pa.Array, values: Tensor) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield kinds of drift, the masks (n,) of their rows, and their descriptions."""
    gaps = is_missing(array)
    categorical = column.kind == "categorical"
    if not column.missing:
        instead = "an unseen category" if categorical else "the mean of training"
        yield "missing values", gaps, f"is missing, which it never was in training, and read as {instead}"
    if categorical:
        yield "unseen categories", (values == 0).numpy() & ~gaps, "has a category that training has not seen"
    elif column.range:
        low, high = column.range
        slack = FAR_OUTSIDE * (high - low)
        far = (values < low - slack) | (values > high + slack)
        bounds = f"{_bound_text(column, low)} to {_bound_text(column, high)}"
        yield "values far outside", far.numpy(), f"is far outside of training's {bounds}"


def _bound_text(column: Column, value: float) -> str:
    if column.kind == "date":
        return str(np.datetime64(0, "s") + np.timedelta64(round(value * 86400), "s"))[:10]
    return f"{value:.10g}"


def _cell_text(cell: pa.Scalar) -> str:
    """A cell for use before the name of its row; "" if it is missing."""
    value = cell.as_py()
    if value is None or value != value:
        return ""
    return f"{value!r} in " if isinstance(value, str) else f"{value} in "
