"""Options for reading the cells of a table."""

from collections.abc import Sequence
from typing import NamedTuple

from zoo.data.columns.missing_marks import MISSING_CELLS


class CellOptions(NamedTuple):
    """What a file of a table does not say about its cells.

    Args:
        text: headings of columns to read as text, even if all values look like numbers or dates.
        missing: marks of missing values, in addition to the default ones.
        not_missing: default marks that are values in columns of text.
        encoding: of files that are not UTF-8; None is Windows-1252.
    """

    text: Sequence[str] = ()
    missing: Sequence[str] = ()
    not_missing: Sequence[str] = ()
    encoding: str | None = None

    def marks(self) -> list[str]:
        """Marks of missing values in columns of text."""
        return [*(mark for mark in MISSING_CELLS if mark not in self.not_missing), *self.missing]


DEFAULT_CELLS = CellOptions()
