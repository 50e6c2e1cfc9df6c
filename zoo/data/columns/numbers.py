"""Numbers: columns of numbers, or of text that people and programs write numbers as."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.columns.arrow import convert_distinct, is_date, is_missing, is_text, to_array
from zoo.data.columns.cell_errors import Place, Refuse, refuse_cells

BOOLEAN_WORDS = {"true": 1.0, "yes": 1.0, "t": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "f": 0.0, "n": 0.0}
MONEY = "\\p{Sc}|EUR|USD|GBP|CHF"
ZERO_PADDED = r"^\s*0\d+\s*$"
LONG_NUMBER = r"^\s*-?\d{19,}\s*$"  # a whole number that may not fit in 64 bits
CODE = r"^\s*(0\d+|\d{16,})\s*$"  # a whole number that loses zeros or digits as a float

_THIN_SPACES = "\u00a0\u2009\u202f"  # non-breaking, thin, narrow non-breaking: typographers' thousands separators
_SEPARATORS = f" '\u2019{_THIN_SPACES}"  # of thousands, beside commas and dots
_SPACE, _MONEY = f"[\\s{_THIN_SPACES}]*", f"(?:{MONEY})?"
_BEFORE, _AFTER = f"^{_SPACE}([+-]?){_SPACE}{_MONEY}{_SPACE}", f"{_SPACE}(?:%|{_MONEY}){_SPACE}$"
_SIGNS = f"{_BEFORE}(.*?){_AFTER}"  # currency and per cent signs around a number
_MINUS_FORMS = {
    "\u2212": "-",
    r"^([^()\d]*)\(([^()]*)\)([^()\d]*)$": r"-\1\2\3",  # (5), as accountants write it
    rf"^([^-]*\d){_SPACE}-([^\d-]*)$": r"-\1\2",  # 5-
}
# such as 1,234.5 or 1,23,456
THOUSANDS = f"^[+-]?\\d{{1,3}}([,{_SEPARATORS}]\\d{{2,3}})*[,{_SEPARATORS}]\\d{{3}}(\\.\\d+)?$"
# such as 1.234,5 or 1,5E+03
DECIMAL_COMMA = f"{_BEFORE}[+-]?(\\d+|[1-9]\\d{{0,2}}([.{_SEPARATORS}]\\d{{3}})+)(,\\d+(?:[eE][+-]?\\d+)?)?{_AFTER}"


def as_numbers(array: pa.Array, words: Mapping[str, float] | None = None) -> np.ndarray:
    """Convert a column to numbers (n,), NaN where missing and where text is neither a number nor one of `words`.

    Text may have a currency or per cent sign, commas or spaces between thousands, and brackets or a trailing minus
    for negative numbers.
    """
    if is_text(array.type):
        return convert_distinct(array, lambda text: _parse_numbers(text, words or {})).astype(np.float64)
    if pa.types.is_time(array.type):
        array = pc.divide(array.cast(pa.time64("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    if is_date(array.type):
        return np.full(len(array), np.nan)
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _parse_numbers(text: pa.Array, words: Mapping[str, float]) -> pd.Series:
    bare = pc.replace_substring_regex(leading_minus(text), _SIGNS, r"\1\2")
    grouped = pc.match_substring_regex(bare, THOUSANDS)
    text = pc.if_else(grouped, pc.replace_substring_regex(bare, f"[,{_SEPARATORS}]", ""), bare).to_pandas()
    return text.str.lower().map(words).astype("float64").fillna(pd.to_numeric(text, errors="coerce"))


def require_numbers(
    array: pa.Array,
    rule: str,
    place: Place,
    fix: str,
    words: Mapping[str, float] | None = None,
    refuse: Refuse = refuse_cells,
) -> np.ndarray:
    """Convert a column to numbers (n,) as `as_numbers` does; `refuse` is called with the cells that are no numbers."""
    numbers = as_numbers(array, words)
    refuse(rule, array, np.isnan(numbers) & ~is_missing(array), place, fix)
    return numbers


def leading_minus(text: pa.Array) -> pa.Array:
    """Write negative numbers such as (5) and 5- as -5."""
    for pattern, replacement in _MINUS_FORMS.items():
        text = pc.replace_substring_regex(text, pattern, replacement)
    return text


def decimal_comma_to_point(text: pa.Array) -> pa.Array:
    """Write numbers such as 1.234,5 as 1234.5."""
    number = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    return pc.if_else(pc.match_substring_regex(leading_minus(text), DECIMAL_COMMA), number, text)


def parse_zero_padded(table: pa.Table, codes: Collection[str]) -> pa.Table:
    """Parse the columns of zero-padded whole numbers, such as months, except for the columns named in `codes`."""
    for index, name in enumerate(table.column_names):
        column = to_array(table[name])
        if name not in codes and is_text(column.type):
            padded, whole = (pc.match_substring_regex(column, form) for form in (ZERO_PADDED, r"^\s*\d{1,18}\s*$"))
            if pc.any(padded).as_py() and pc.all(whole).as_py():
                table = table.set_column(index, name, pc.utf8_trim_whitespace(column).cast(pa.int64()))
    return table


def exceeds_float32(values: np.ndarray) -> np.ndarray:
    """Mask (n,) of numbers that do not fit in float32, infinity included."""
    return np.abs(values) > np.finfo(np.float32).max


def finite_range(values: np.ndarray) -> tuple[float, ...]:
    """Lowest and highest finite value; () where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else ()
