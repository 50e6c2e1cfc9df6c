"""Errors that name the cells they are about: the value, the row and how to correct it."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from zoo.core.errors import UserError

Place = Callable[[int], str]  # from a row, counted from 0, to its name in messages, such as "row 7 of houses.csv"
Refuse = Callable[[str, pa.Array, np.ndarray, Place, str], None]


def row_number(row: int) -> str:
    """Name a row of a DataFrame or an array, counted from 0."""
    return f"row {row}"


def refuse_cells(rule: str, array: pa.Array, bad: np.ndarray, place: Place, fix: str) -> None:
    """Raise UserError if any cell is bad, naming the first three.

    Args:
        rule: that the cells break.
        array: (n,) the column.
        bad: mask (n,).
        place: names a row.
        fix: what the user should do.
    """
    rows = np.flatnonzero(bad)
    if len(rows):
        cells = ", ".join(f"{array[row].as_py()!r:.60} in {place(int(row))}" for row in rows[:3])
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        raise UserError(f"{rule}; there is {cells}{more}\n{fix}")
