"""Marks of missing values: the default ones, and null in their place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import unknown_name
from zoo.data.columns.arrow import is_number, is_text, to_array
from zoo.data.columns.numbers import CODE, as_numbers
from zoo.data.columns.text import as_text
from zoo.data.options import as_list, is_read_as

MISSING_MARKS = ("?", "-", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "Null", "null", "None")
MISSING_CELLS = ("", " ", *MISSING_MARKS)
MOST_SPACES = 32  # in an empty cell


def with_spaces(marks: Sequence[str]) -> list[str]:
    """Add the variants of marks that files hold: a space before or after, several in an empty cell."""
    blank = [" " * n for n in range(2, MOST_SPACES + 1)] if "" in marks else []
    return [*blank, *(f"{before}{mark}{after}" for mark in marks for before in ("", " ") for after in ("", " "))]


def default_marks(values: Any) -> list[str]:
    """Select default marks of missing values by an option's values. UserError for a value that is not one of them."""
    for value in as_list(values):
        if not any(is_read_as(mark, value) for mark in MISSING_MARKS):
            raise unknown_name("usual mark of missing values", value, MISSING_MARKS)
    return [mark for mark in MISSING_MARKS if any(is_read_as(mark, value) for value in as_list(values))]


def marks_to_null(table: pa.Table, marks: Sequence[str]) -> pa.Table:
    """Replace marks of missing values by null: equal text, and equal numbers however they are written."""
    texts = pa.array(marks, pa.string())
    for index, name in enumerate(table.column_names if marks else ()):
        column = to_array(table[name])
        if not (is_text(column.type) or is_number(column.type)):
            continue
        marked = np.isin(as_numbers(column), as_numbers(texts))
        if is_text(column.type):
            codes, same = pc.match_substring_regex(column, CODE), pc.is_in(as_text(column), texts)
            marked = np.where(codes.fill_null(False), same, marked | same.to_numpy(zero_copy_only=False))
        table = table.set_column(index, name, pc.if_else(pa.array(marked), None, column))
    return table
