"""Encode the columns of a table as the tensors of a batch."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from zoo.core.console import echo
from zoo.core.spec import Column, Input, float_type
from zoo.data.columns.arrow import is_missing, to_array, to_table
from zoo.data.columns.cell_errors import Place, Refuse, refuse_cells, row_number
from zoo.data.columns.dates import ISO, as_dates, days_since_1970
from zoo.data.columns.numbers import BOOLEAN_WORDS, as_numbers, exceeds_float32, require_numbers
from zoo.data.columns.text import index_in, quoted_list

DATE_PARTS = ("days since 1970", "month", "day of the week", "hour")  # the numbers that a date becomes


def table_inputs(columns: Sequence[Column]) -> dict[str, Input]:
    """Describe the inputs that `columns` become: "numeric", "categorical" or both."""
    n_numeric = len(numeric_names(columns))
    categorical = [column for column in columns if column.kind == "categorical"]
    cardinalities = tuple(1 + len(column.categories) + column.missing for column in categorical)
    numeric = Input((n_numeric,), float_dtype(columns), axes=("n_numeric",), scaled_axis=0)
    codes = Input((len(cardinalities),), "int64", ("n_categorical",), cardinalities=cardinalities)
    return {name: value for name, value in {"numeric": numeric, "categorical": codes}.items() if value.shape != (0,)}


def float_dtype(columns: Sequence[Column]) -> str:
    """The dtype that "numeric" needs for the ranges of `columns`."""
    return float_type(*(column.range for column in columns))


def numeric_names(columns: Sequence[Column]) -> list[str]:
    """Name each entry of "numeric"."""
    return [name for column in columns for name in numeric_names_of(column)]


def numeric_names_of(column: Column) -> list[str]:
    """Name the entries of "numeric" that a column becomes; none for categories."""
    if column.kind == "categorical":
        return []
    names = [f"{column.name}: {part}" for part in DATE_PARTS] if column.kind == "date" else [column.name]
    return [*names, f"{column.name} is missing"] if column.missing else names


def category_name(column: Column, code: int) -> str:
    """Name the category that `encode` gives a code."""
    return ["not seen in training", *column.categories, "missing"][code]


def encode(
    columns: Sequence[Column],
    frame: pd.DataFrame | pa.Table,
    *,
    dates: Mapping[str, str] | None = None,
    place: Place = row_number,
    refuse: Refuse = refuse_cells,
) -> dict[str, Tensor]:
    """Encode the rows of a table as tensors, one or both of:

    numeric, float32 or float64 (n, n_numeric): numbers and booleans as they are, NaN where missing; dates as days
    since 1970, month, day of the week (Monday is 0) and hour; each followed by a 0 or 1 for "is missing", if values
    are missing in training.
    categorical, int64 (n, n_categorical): 0 for a category that training has not seen, 1.. for the categories in
    order, and one more for "is missing", if values are missing in training.

    Args:
        columns: the columns to encode, in the order of the tensors.
        frame: has these columns among its own.
        dates: the format of columns whose dates are text, if it is not ISO 8601.
        place: names a row.
        refuse: called with unreadable cells; if it returns, they become NaN or infinite.

    Raises:
        UserError: for text among numbers, text that is no date among dates, and infinity.
    """
    table, dtype = to_table(frame), float_dtype(columns)
    numeric: list[np.ndarray] = []
    codes: list[np.ndarray] = []
    for column in columns:
        array = to_array(table[column.name])
        if column.kind == "categorical":
            codes.append(_encode_categories(column, array))
            continue
        if column.kind == "date":
            parts = _encode_dates(column, array, (dates or {}).get(column.name, ISO), place, refuse)
        else:
            parts = [encode_numbers(column, array, place, refuse)]
        parts += [is_missing(array)] if column.missing else []
        with np.errstate(over="ignore"):
            numeric += [part.astype(dtype) for part in parts]
    tensors = {"numeric": numeric, "categorical": codes}
    return {name: torch.from_numpy(np.stack(arrays, axis=1)) for name, arrays in tensors.items() if arrays}


def encode_numbers(column: Column, array: pa.Array, place: Place, refuse: Refuse = refuse_cells) -> np.ndarray:
    """Encode a column of numbers or booleans, (n,) float64."""
    rule = f"every value of column '{column.name}' is a number"
    fix = f"correct the value, name a mark of missing values by data.missing=, or make '{column.name}' categorical"
    values = require_numbers(array, rule, place, fix, BOOLEAN_WORDS if column.kind == "boolean" else None, refuse)
    refuse(f"{rule} below 3e38", array, exceeds_float32(values), place, "correct the value, or leave it empty")
    return values


def _encode_dates(column: Column, array: pa.Array, form: str, place: Place, refuse: Refuse) -> list[np.ndarray]:
    """Encode a column of dates as the numbers of `DATE_PARTS`, each (n,) float64."""
    dates = as_dates(array, form)
    example = pd.Timestamp("2024-12-31").strftime("%Y-%m-%d" if form == ISO else form)
    rule = f"every value of column '{column.name}' is a date, such as {example}"
    refuse(rule, array, dates.isna().to_numpy() & ~is_missing(array), place, "write all dates in one format")
    parts = (days_since_1970(dates), dates.dt.month, dates.dt.dayofweek, dates.dt.hour)
    return [part.to_numpy(np.float64) for part in parts]


def _encode_categories(column: Column, array: pa.Array) -> np.ndarray:
    """Encode a column of categories, (n,) int64."""
    codes = pc.add(index_in(column.categories, array), 1).fill_null(0).to_numpy().astype(np.int64)
    return np.where(is_missing(array), len(column.categories) + 1, codes) if column.missing else codes


def encode_classes(target: str, column: pa.Array, names: Sequence[str], place: Place) -> tuple[np.ndarray, list[str]]:
    """Encode the class of each row (n,), -1 where missing; also return the names of the classes.

    Args:
        target: heading of the column.
        column: (n,) names, or whole numbers that start at 0 and index the names, which is reported.
        names: of the classes.
        place: names a row.

    Raises:
        UserError: for values that are no class.
    """
    names = list(names)
    codes = index_in(names, column).fill_null(-1).to_numpy().astype(np.int64)
    known = ~is_missing(column)
    fix = "correct these rows"
    if pa.types.is_integer(column.type) and known.any() and (codes < 0).all() and not _are_numbers(names):
        fix = "write the names; whole numbers that start at 0 are read as their indices"
        numbers = as_numbers(column.fill_null(-1)).astype(np.int64)
        if numbers[known].min() == 0:
            echo(f"'{target}' has whole numbers, read as indices of {quoted_list(names)}, from 0")
            codes = numbers
    bad = known & ((codes < 0) | (codes >= len(names)))
    refuse_cells(f"the classes of '{target}' are {quoted_list(names)}", column, bad, place, fix)
    return codes, names


def _are_numbers(names: Sequence[str]) -> bool:
    return not np.isnan(as_numbers(pa.array(names, pa.string()))).any()
