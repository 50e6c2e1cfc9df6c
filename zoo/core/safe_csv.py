"""Tables written as CSV that no spreadsheet runs formulas from."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from zoo.core.atomic_files import write_text
from zoo.core.console import printable

FORMULA = ("=", "+", "-", "@", "\t")  # begin what a spreadsheet runs
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """`write_whole` for a table; text is `visible`, and has an apostrophe before it where a
    spreadsheet would run it as a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_inert(cell) for cell in row] for row in rows)
    write_text(path, text.getvalue())


def _inert(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    cell = printable(cell)  # a lone carriage return would end the row
    return f"'{cell}" if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell) else cell
