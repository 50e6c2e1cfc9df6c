"""Codes: whole numbers that lose leading zeros or digits as floats, such as zip codes and account numbers."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.columns.arrow import is_text, to_array
from zoo.data.columns.missing_marks import MISSING_CELLS
from zoo.data.columns.numbers import CODE, LONG_NUMBER, ZERO_PADDED, as_numbers

MAX_EXACT = 1 << 53  # floats merge larger whole numbers


def code_in(array: pa.Array) -> str | None:
    """Find a value by which a column holds codes: whole numbers with leading zeros or with more digits than floats."""
    if is_text(array.type):
        codes = array.filter(pc.match_substring_regex(array, CODE))
        return codes[0].as_py() if len(codes) else None
    if not (pa.types.is_integer(array.type) or pa.types.is_decimal(array.type)):
        return None
    ends = pc.min_max(array.drop_null())
    if not any(abs(end.as_py() or 0) > MAX_EXACT for end in ends.values()):
        return None
    distinct = pc.unique(array.drop_null())
    return str(ends["max"].as_py()) if len(np.unique(as_numbers(distinct))) < len(distinct) else None


def code_columns(blocks: Iterable[pa.Table], long: Sequence[str]) -> list[str]:
    """Find the columns of text that hold only whole numbers, some of them with leading zeros or, for the columns in
    `long`, with too many digits for 64 bits."""
    codes: set[str] = set()
    others: set[str] = set()
    for block in blocks:
        for name in set(block.column_names) - others:
            values = to_array(pc.unique(to_array(block[name]))).cast(pa.string())
            values = pc.utf8_trim_whitespace(values.filter(pc.invert(pc.is_in(values, pa.array(MISSING_CELLS)))))
            if pc.any(pc.match_substring_regex(values, LONG_NUMBER if name in long else ZERO_PADDED)).as_py():
                codes.add(name)
            if pc.any(pc.match_substring_regex(values, "[^0-9+-]")).as_py():
                others.add(name)
    return sorted(codes - others)
