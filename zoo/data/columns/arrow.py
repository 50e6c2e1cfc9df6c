"""Arrow tables and arrays: build them from DataFrames, ask for their types and missing values."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError
from zoo.data.options import clean_heading


def to_table(frame: Any) -> pa.Table:
    """Convert a DataFrame, or a dict of columns, to an Arrow table with clean headings.

    Raises:
        UserError: for a heading that occurs twice.
    """
    if isinstance(frame, pa.Table):
        return frame
    frame = pd.DataFrame(frame)
    names = [clean_heading(name) for name in frame.columns]
    check_unique_headings(names, "the table")
    return pa.table({name: _from_series(frame.iloc[:, index]) for index, name in enumerate(names)})


def check_unique_headings(names: list[str], where: str) -> None:
    """Raise UserError if a heading occurs twice."""
    name, n = min(Counter(names).items(), key=lambda item: (item[1] == 1, item[0]), default=("", 1))
    if n > 1:
        raise UserError(f"a heading names one column; {where} has '{name}' {n} times: rename")


def _from_series(column: pd.Series) -> pa.Array:
    try:
        return pa.array(column, from_pandas=True)
    except pa.ArrowException:  # numbers and text mixed
        return pa.array([None if pd.isna(value) else str(value) for value in column], pa.string())


def to_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Combine the chunks of a column and decode its dictionary, if it has one."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_date(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds dates."""
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds numbers; a time of day counts as its seconds."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_time)
    return any(test(kind) for test in tests)


def check_column_type(name: str, array: pa.Array) -> None:
    """Raise UserError unless a column holds numbers, text, dates or booleans."""
    kind = array.type
    if not (is_text(kind) or is_date(kind) or is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise UserError(f"a column holds numbers, text, dates or booleans; '{name}' holds {kind}: data.ignore=[{name}]")


def is_missing(array: pa.Array) -> np.ndarray:
    """Mask (n,) of nulls and NaNs."""
    return array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)


def exceeds_int64(column: pa.ChunkedArray) -> bool:
    """Whether a column of floats holds a number that does not fit in 64 bits as an integer."""
    return pa.types.is_floating(column.type) and bool(pc.greater_equal(pc.max(pc.abs(column)), 2.0**63).as_py())


def convert_distinct(text: pa.Array, convert: Callable[[pa.Array], pd.Series]) -> np.ndarray:
    """Convert each distinct text once; nulls become NaN or NaT.

    Args:
        text: (n,).
        convert: takes the distinct texts (k,), returns numbers or dates (k,).
    """
    encoded = text.dictionary_encode()
    values = convert(encoded.dictionary).to_numpy()
    return np.asarray(pd.api.extensions.take(values, encoded.indices.fill_null(-1).to_numpy(), allow_fill=True))
