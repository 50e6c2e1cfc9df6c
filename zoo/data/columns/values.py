"""One column of a table as numbers, text or dates, whatever it comes as; and the refusal of cells that are none."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError
from zoo.data.options import heading

WORDS = {"true": 1.0, "yes": 1.0, "t": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "f": 0.0, "n": 0.0}
_GAPS = "\u00a0\u2009\u202f"  # spaces that do not break a line, as typesetters put between thousands
_BETWEEN = f" '\u2019{_GAPS}"  # thousands, beside commas and dots
MONEY = "\\p{Sc}|EUR|USD|GBP|CHF"
_SPACE, _MONEY = f"[\\s{_GAPS}]*", f"(?:{MONEY})?"
_BEFORE, _AFTER = f"^{_SPACE}([+-]?){_SPACE}{_MONEY}{_SPACE}", f"{_SPACE}(?:%|{_MONEY}){_SPACE}$"
SIGNS = f"{_BEFORE}(.*?){_AFTER}"  # what may stand around a number
NEGATIVE = {
    "\u2212": "-",
    r"^([^()\d]*)\(([^()]*)\)([^()\d]*)$": r"-\1\2\3",  # (5), as accountants write it
    rf"^([^-]*\d){_SPACE}-([^\d-]*)$": r"-\1\2",  # 5-
}
THOUSANDS = f"^[+-]?\\d{{1,3}}([,{_BETWEEN}]\\d{{2,3}})*[,{_BETWEEN}]\\d{{3}}(\\.\\d+)?$"  # such as 1,234.5 or 1,23,456
DECIMAL_COMMA = (  # such as 1.234,5 or 1,5E+03
    f"{_BEFORE}[+-]?(\\d+|[1-9]\\d{{0,2}}([.{_BETWEEN}]\\d{{3}})+)(,\\d+(?:[eE][+-]?\\d+)?)?{_AFTER}"
)
UNSEEN = r"^[\s\p{Cf}]+|[\s\p{Cf}]+$"  # such as a space without width
ZERO_LED = r"^\s*0\d+\s*$"
LONG = r"^\s*-?\d{19,}\s*$"  # a whole number that may be beyond 64 bits
CODE = r"^\s*(0\d+|\d{16,})\s*$"  # a whole number that is another as text than as a float
_DAYS = (
    "%Y/%m/%d",
    *(day + year for day in ("%d.%m.", "%m/%d/", "%d/%m/", "%m-%d-", "%d-%m-") for year in ("%Y", "%y")),
    *(form.format(month) for form in ("%d-{}-%Y", "%d {} %Y", "{} %d, %Y") for month in ("%b", "%B")),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
DATES = ("ISO8601", *(day + time for day in _DAYS for time in _TIMES))
Place = Callable[[int], str]
Refuse = Callable[[str, pa.Array, np.ndarray, Place, str], None]


def row_number(row: int) -> str:
    """How a message names a row of a DataFrame or an array: counted from 0."""
    return f"row {row}"


def as_table(frame: Any) -> pa.Table:
    """A DataFrame, or a dict of columns, as an Arrow table. Headings become text; a heading twice raises UserError."""
    if isinstance(frame, pa.Table):
        return frame
    frame = pd.DataFrame(frame)
    names = [heading(name) for name in frame.columns]
    check_headings(names, "the table")
    return pa.table({name: _array(frame.iloc[:, index]) for index, name in enumerate(names)})


def check_headings(names: list[str], where: str) -> None:
    """Raise UserError unless each heading is there once."""
    name, times = min(Counter(names).items(), key=lambda one: (one[1] == 1, one[0]), default=("", 1))
    if times > 1:
        raise UserError(f"a heading names one column; {where} has '{name}' {times} times: rename")


def _array(column: pd.Series) -> pa.Array:
    try:
        return pa.array(column, from_pandas=True)
    except pa.ArrowException:  # numbers and text mixed
        return pa.array([None if pd.isna(value) else str(value) for value in column], pa.string())


def plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """In one piece, dictionaries decoded."""
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
    return any(
        test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_time)
    )


def check_type(name: str, array: pa.Array) -> None:
    """Raise UserError unless a column holds what the zoo can read."""
    kind = array.type
    if not (is_text(kind) or is_date(kind) or is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise UserError(f"a column holds numbers, text, dates or booleans; '{name}' holds {kind}: data.ignore=[{name}]")


def missing(array: pa.Array) -> np.ndarray:
    """Mask (n,) that is True where there is no value, or NaN."""
    return array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)


def beyond_64_bits(column: pa.ChunkedArray) -> bool:
    """Whether a column of floats has a number that no integer of 64 bits holds."""
    return pa.types.is_floating(column.type) and bool(pc.greater_equal(pc.max(pc.abs(column)), 2.0**63).as_py())


def without_marks(table: pa.Table, marks: Sequence[str]) -> pa.Table:
    """A table without marks of missing values: without such text, and such numbers, however they are written."""
    texts = pa.array(marks, pa.string())
    for place, name in enumerate(table.column_names if marks else ()):
        column = plain(table[name])
        if not (is_text(column.type) or is_number(column.type)):
            continue
        marked = np.isin(as_numbers(column), as_numbers(texts))
        if is_text(column.type):
            codes, same = pc.match_substring_regex(column, CODE), pc.is_in(as_text(column), texts)
            marked = np.where(codes.fill_null(False), same, marked | same.to_numpy(zero_copy_only=False))
        table = table.set_column(place, name, pc.if_else(pa.array(marked), None, column))
    return table


def counted(table: pa.Table, codes: Collection[str]) -> pa.Table:
    """A table whose whole numbers with leading zeros are numbers, such as months, but for the columns `codes`."""
    for place, name in enumerate(table.column_names):
        column = plain(table[name])
        if name not in codes and is_text(column.type):
            zeros, whole = (pc.match_substring_regex(column, form) for form in (ZERO_LED, r"^\s*\d{1,18}\s*$"))
            if pc.any(zeros).as_py() and pc.all(whole).as_py():
                table = table.set_column(place, name, pc.utf8_trim_whitespace(column).cast(pa.int64()))
    return table


def as_text(array: pa.Array) -> pa.Array:
    """Text without spaces around it, what is not seen at its ends, and its accents in one form (NFC), null where
    missing. Whole numbers read alike as integers and as floats."""
    if is_text(array.type):
        text = pc.utf8_trim_whitespace(array.cast(pa.string()))
        if pc.all(pc.string_is_ascii(text)).as_py() is not False:
            return text
        seen = pc.utf8_trim_whitespace(pc.replace_substring_regex(text, UNSEEN, "")).dictionary_encode()
        composed = [unicodedata.normalize("NFC", one) for one in seen.dictionary.to_pylist()]  # Arrow 25 decomposes
        return pa.array(composed, pa.string()).take(seen.indices)
    text = array.cast(pa.string())
    if not pa.types.is_floating(array.type):
        return text
    return pc.if_else(array.is_null(nan_is_null=True), None, pc.replace_substring_regex(text, r"\.0$", ""))


def places_in(names: Sequence[str], array: pa.Array) -> pa.Array:
    """The place of each value among `names`, null where it is none of them. A number or a truth value is also that name
    which a file of such values alone would hold in its place, such as 1.1 for 1.10."""
    texts, values = pa.array(names, pa.string()), as_text(array)
    places, meant = pc.index_in(values, texts), texts
    if pa.types.is_boolean(array.type):
        meant = pc.utf8_lower(texts)
    elif is_number(array.type):
        codes, numbers = pc.match_substring_regex(texts, CODE), as_text(pa.array(as_numbers(texts), from_pandas=True))
        meant = pc.if_else(codes, texts, pc.coalesce(numbers, texts))
    once = pc.count_distinct(meant).as_py() == len(names)
    return pc.coalesce(places, pc.index_in(values, meant)) if once else places


def as_numbers(array: pa.Array, words: Mapping[str, float] | None = None) -> np.ndarray:
    """Numbers (n,), NaN where missing, and where text is neither a number nor one of `words`. Text may have a sign of
    money or per cent, commas or spaces between thousands, and brackets or a minus behind for a minus before."""
    if is_text(array.type):
        return _over_distinct(array, lambda text: _number_of(text, words or {})).astype(np.float64)
    if pa.types.is_time(array.type):
        array = pc.divide(array.cast(pa.time64("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    if is_date(array.type):
        return np.full(len(array), np.nan)
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def refuse(rule: str, array: pa.Array, bad: np.ndarray, place: Place, fix: str) -> None:
    """Raise UserError that names the cells of the mask `bad` (n,), if there are any."""
    rows = np.flatnonzero(bad)
    if len(rows):
        cells = ", ".join(f"{array[row].as_py()!r:.60} in {place(int(row))}" for row in rows[:3])
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        raise UserError(f"{rule}; there is {cells}{more}\n{fix}")


def only_numbers(
    array: pa.Array,
    rule: str,
    place: Place,
    fix: str,
    words: Mapping[str, float] | None = None,
    refuse: Refuse = refuse,
) -> np.ndarray:
    """`as_numbers` (n,), NaN where missing alone; `refuse` is called with the cells which hold no number."""
    numbers = as_numbers(array, words)
    refuse(rule, array, np.isnan(numbers) & ~missing(array), place, fix)
    return numbers


def _number_of(text: pa.Array, words: Mapping[str, float]) -> pd.Series:
    bare = pc.replace_substring_regex(minus_first(text), SIGNS, r"\1\2")
    grouped = pc.match_substring_regex(bare, THOUSANDS)
    text = pc.if_else(grouped, pc.replace_substring_regex(bare, f"[,{_BETWEEN}]", ""), bare).to_pandas()
    return text.str.lower().map(words).astype("float64").fillna(pd.to_numeric(text, errors="coerce"))


def minus_first(text: pa.Array) -> pa.Array:
    """Text in which negative numbers such as (5) and 5- are written as -5."""
    for pattern, plainly in NEGATIVE.items():
        text = pc.replace_substring_regex(text, pattern, plainly)
    return text


def with_decimal_point(text: pa.Array) -> pa.Array:
    """Text in which numbers such as 1.234,5 are written as 1234.5."""
    number = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    return pc.if_else(pc.match_substring_regex(minus_first(text), DECIMAL_COMMA), number, text)


def as_dates(array: pa.Array, form: str = "ISO8601") -> pd.Series:
    """Dates (n,), in UTC where they have a zone; NaT where missing and where text is not of the form."""
    if is_date(array.type):
        finer = pa.types.is_timestamp(array.type) and array.type.unit == "ns"
        try:
            return pd.Series(array.cast(pa.timestamp("us"), safe=not finer).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid as error:
            raise UserError(f"dates are of the years -290308 to 294247; one is not: {error}") from error
    return pd.Series(_over_distinct(as_text(array), lambda text: _date_of(text, form)))


def since_1970(dates: pd.Series) -> pd.Series:
    """Dates as days, NaN for NaT."""
    return (dates - pd.Timestamp(0).as_unit("s")) / pd.Timedelta(days=1).as_unit("s")  # nanoseconds end in 2262


def too_large(values: np.ndarray) -> np.ndarray:
    """The mask (n,) of numbers that float32 cannot hold, and of infinity; NaN is none."""
    return np.abs(values) > np.finfo(np.float32).max


def extent(values: np.ndarray) -> tuple[float, ...]:
    """The lowest and the highest of the finite values; () where there are none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else ()


def _date_of(text: pa.Array, form: str) -> pd.Series:
    texts = text.to_pandas().astype("object")
    return pd.to_datetime(texts, format=form, errors="coerce", utc=True).dt.tz_localize(None)


def _over_distinct(text: pa.Array, convert: Callable[[pa.Array], pd.Series]) -> np.ndarray:
    """Convert each distinct value once; NaN or NaT where there is none."""
    encoded = text.dictionary_encode()
    values = convert(encoded.dictionary).to_numpy()
    return np.asarray(pd.api.extensions.take(values, encoded.indices.fill_null(-1).to_numpy(), allow_fill=True))
