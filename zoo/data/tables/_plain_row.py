"""Encode one row whose values need no thought: numbers within training's range and categories that training has seen.

Gain, off -> on, milliseconds of `predict` for a dict of 30 numbers on one core of an AMD EPYC (Zen 5), best decile:
    fnn/mlp.breast_cancer    3.4 -> 0.08 ms

Every other row is left to the reader of tables, which converts, refuses and reports; its answers are the same.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from zoo.core.spec import Column, DataSpec
from zoo.data.columns.encode import encode, float_dtype
from zoo.data.columns.missing_marks import marks_to_null
from zoo.data.columns.numbers import as_numbers
from zoo.data.splits import Batch

NUMBERS = (float, int, bool, np.float64)
LARGEST = 2.0**53  # whole numbers above lose digits as floats
WITHIN = 0.4  # how far outside of training's range, in its widths, nothing is reported


def encode_plain_row(spec: DataSpec, raw: Any) -> Batch | None:
    """Encode a dict by column name, or values in the order of the columns, as a batch of one; None unless plain."""
    row = _by_name(spec.column_names, raw)
    marks = tuple(spec.reading.get("missing", ()))
    numeric: list[float] = []
    codes: list[int] = []
    for column in spec.columns if row else ():
        value: Any = row.get(column.name)
        if column.kind == "categorical" and type(value) is str and value in _codes(column, marks):
            codes.append(_codes(column, marks)[value])
        elif column.kind in ("numeric", "boolean") and type(value) in NUMBERS and _is_plain(column, value, marks):
            numeric += [value, 0.0] if column.missing else [value]
        else:
            return None
    parts = {"numeric": np.array([numeric], float_dtype(spec.columns)), "categorical": np.array([codes], np.int64)}
    return {name: torch.from_numpy(part) for name, part in parts.items() if part.size} or None


def _by_name(names: Sequence[str], raw: Any) -> Mapping[str, Any]:
    """The row as a dict of the columns alone; empty if it is anything else."""
    if isinstance(raw, np.ndarray) and raw.ndim == 1:
        raw = raw.tolist()
    if type(raw) not in (dict, list, tuple) or len(raw) != len(names):
        return {}
    return raw if isinstance(raw, dict) else dict(zip(names, raw, strict=True))


def _is_plain(column: Column, value: float, marks: tuple[str, ...]) -> bool:
    """Whether a number is neither a mark of missing values, nor far outside of training's range, nor not finite."""
    low, high = column.range or (-LARGEST, LARGEST)
    slack = WITHIN * (high - low)
    return max(low - slack, -LARGEST) <= value <= min(high + slack, LARGEST) and value not in _marked_numbers(marks)


@lru_cache
def _marked_numbers(marks: tuple[str, ...]) -> frozenset[float]:
    return frozenset(as_numbers(pa.array(marks, pa.string())).tolist())


@lru_cache
def _codes(column: Column, marks: tuple[str, ...]) -> dict[str, int]:
    """The codes that `encode` gives a column's categories, without those that are marks of missing values."""
    table = marks_to_null(pa.table({column.name: pa.array(column.categories, pa.string())}), marks)
    codes = encode([column], table)["categorical"][:, 0].tolist()
    valid = table[column.name].is_valid().to_pylist()
    return {name: code for name, code, is_valid in zip(column.categories, codes, valid, strict=True) if is_valid}
