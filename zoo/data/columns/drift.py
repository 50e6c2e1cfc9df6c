"""What new rows hold that training did not: cells that cannot be read, gaps, unseen categories, values far outside."""

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
SHOWN = 5  # columns of a kind


class UnreadableRows:
    """Collects the rows with unreadable cells, in place of `refuse_cells`, so that the other rows are answered.

    Args:
        n: rows.
    """

    def __init__(self, n: int):
        self.rows = np.zeros(n, dtype=bool)
        self.why: list[str] = []

    def __call__(self, rule: str, array: pa.Array, bad: np.ndarray, place: Place, fix: str) -> None:
        """Note the rows of the mask `bad` (n,)."""
        try:
            refuse_cells(rule, array, bad, place, fix)
        except UserError as error:
            self.rows |= bad
            self.why.append(str(error).splitlines()[0])


def report_drift(columns: Sequence[Column], table: pa.Table, batch: Batch, rows: np.ndarray, place: Place) -> None:
    """Say what is unlike training in some rows of a table, a line for each column and kind, `SHOWN` of a kind at most.

    Args:
        columns: of the table, as training knew them.
        table: all rows.
        batch: what `encode` made of them.
        rows: mask (n,) of those to look at.
        place: how messages name a row.
    """
    numeric = iter(() if "numeric" not in batch else batch["numeric"].T)
    codes = iter(() if "categorical" not in batch else batch["categorical"].T)
    lines: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        values = [next(codes if column.kind == "categorical" else numeric) for _ in numeric_names_of(column) or [""]]
        array = to_array(table[column.name])
        for kind, mask, told in _kinds(column, array, values[0]):
            found = np.flatnonzero(mask & rows)
            if len(found):
                where = f"{len(found):,} of {rows.sum():,} rows, such as {_text(array[found[0]])}{place(int(found[0]))}"
                lines[kind].append(f"'{column.name}' {told}: {where}")
    for kind, some in lines.items():
        echo(*some[:SHOWN], *[f"{len(some) - SHOWN:,} more columns have {kind}"] * (len(some) > SHOWN), sep="\n")


def _kinds(column: Column, array: pa.Array, values: Tensor) -> Iterator[tuple[str, np.ndarray, str]]:
    """Kinds of what training had not, masks (n,) of the rows that have it, and how it is told."""
    gaps = is_missing(array)
    categorical = column.kind == "categorical"
    if not column.missing:
        taken = "a category not seen" if categorical else "training's mean"
        yield "gaps", gaps, f"has no value, which it always had in training, and is read as {taken}"
    if categorical:
        yield "categories not seen", (values == 0).numpy() & ~gaps, "has a category that training has not seen"
    elif column.range:
        low, high = column.range
        slack = FAR_OUTSIDE * (high - low)
        far = (values < low - slack) | (values > high + slack)
        yield (
            "values far outside",
            far.numpy(),
            f"is far outside of training's {_end(column, low)} to {_end(column, high)}",
        )


def _end(column: Column, value: float) -> str:
    """An end of a column's range as text."""
    if column.kind == "date":
        return str(np.datetime64(0, "s") + np.timedelta64(round(value * 86400), "s"))[:10]
    return f"{value:.10g}"


def _text(cell: pa.Scalar) -> str:
    """A cell before the name of its row; "" without a value."""
    value = cell.as_py()
    if value is None or value != value:
        return ""
    return f"{value!r} in " if isinstance(value, str) else f"{value} in "
