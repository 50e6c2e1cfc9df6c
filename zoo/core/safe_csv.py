"""Write CSV files from which no spreadsheet runs a formula."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from zoo.core.atomic_files import write_text
from zoo.core.console import printable

FORMULA_STARTS = ("=", "+", "-", "@", "\t")
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a table atomically. Text is `printable`; what a spreadsheet would run as a formula gets an apostrophe."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_escape(cell) for cell in row] for row in rows)
    write_text(path, text.getvalue())


def _escape(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    cell = printable(cell)  # or a lone carriage return would end the row
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(cell) else cell
