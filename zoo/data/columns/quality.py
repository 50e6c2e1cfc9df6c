"""The quality of columns: what a model cannot learn from, what was converted or merged, outliers."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.data.columns.arrow import is_missing, is_text
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.codes import code_in
from zoo.data.columns.numbers import MONEY, as_numbers, decimal_comma_to_point
from zoo.data.columns.text import as_text

MANY_ROWS = 20  # in fewer rows, all values may differ by chance
MAX_ID_SPREAD = 2.5  # times their count that ids span at most, as other splits and files hold some of them
WORDS_OF_TEXT = 4  # in a value on average: from here on a column is free text
AMOUNT = r"^[^\pL\d]{0,3}\d[\d.,'\x{2019} ]*(?:±[\d., ]*)?(\D{0,10})$"  # such as 12 kg, ~5 or 12±1
DATE = r"^\d{1,4}([-./])\d{1,2}[-./]\d{1,4}($|\D)"  # such as 2024-12-31 or 31.12.2024 23:59
MAX_UNITS = 3  # in a column of amounts
MANY_NUMBERS = 20  # from here on a column with other text among them holds amounts
FAR_DEVIATIONS = 30.0  # from the median: a target that far away may be a mistake or a total
APART = 3.0  # times as far away as all other rows

SCHEMA = "set its kind in a schema file, data.schema=FILE"
CODES = f"read as text, as numbers would lose zeros or digits: {{}}; to read one as numbers, {SCHEMA}"
CONVERTED = f"read as numbers: {{}}; to read one as text, {SCHEMA}"
MIXED_UNITS = "units are ignored: {}; write a column in one unit"
AMOUNTS = (
    "read as categories: {}; write amounts as plain numbers, such as 1234.5, and name marks of missing values by "
    "data.missing="
)
MERGED = "merged categories that differ only in spaces around them or in the encoding of accents: {}"
MIXED_DATES = "read as categories: {}; write dates in one format, and name marks of missing values by data.missing="
CAPITALS = "values differ only in capitals: {}; write them alike if they mean the same"


def reason_to_ignore(name: str, kind: str, array: pa.Array, seen: dict[bytes, str]) -> str | None:
    """Say why a model cannot learn from a column, or return None.

    Args:
        name: the column's heading.
        kind: its kind.
        array: (n,) its training rows.
        seen: headings by the hashes of the columns before this one; this one is added.
    """
    gaps = is_missing(array)
    if gaps.all():
        return "empty"
    if not gaps.any() and pc.all(pc.equal(array, array[0])).as_py():
        return "constant"
    if kind == "categorical" and len(array) >= MANY_ROWS and is_text(array.type) and _is_free_text(array):
        return "free text, which model=rnn data=texts reads"
    if len(array) >= MANY_ROWS and not gaps.any() and _is_id(kind, array):
        if kind == "categorical" and _find_amount(array):
            return "numbers that cannot be read, to be written such as 1234.5"
        return "different in every row, like an id"
    digest = hashlib.sha256(str(array.type).encode())
    for buffer in array.buffers():
        digest.update(buffer or b"")
    other = seen.setdefault(digest.digest(), name)
    return None if other == name else f"the same as '{other}'"


def _is_free_text(array: pa.Array) -> bool:
    known = array.drop_null()
    words = pc.mean(pc.count_substring_regex(known, r"\S+")).as_py()
    return bool(words >= WORDS_OF_TEXT and 2 * pc.count_distinct(known).as_py() > len(known))


def _is_id(kind: str, array: pa.Array) -> bool:
    """Whether all values differ and are text, or whole numbers in order or as dense as the numbers of shuffled rows."""
    if kind == "categorical":
        return pc.count_distinct(array).as_py() == len(array)
    if not pa.types.is_integer(array.type):
        return False
    values = array.to_numpy().astype(np.float64)
    ordered = np.sort(values)
    distinct, in_order = (np.diff(ordered) > 0).all(), (values == ordered).all()
    return bool(distinct and (in_order or np.ptp(values) < MAX_ID_SPREAD * len(values)))


def _find_amount(array: pa.Array) -> str | None:
    """Find a value by which a column of text holds amounts: with units, with decimal commas in a file of decimal
    points, or many numbers with some other text among them."""
    if not is_text(array.type):
        return None
    distinct = as_text(array).unique().drop_null()
    odd = distinct.filter(pa.array(np.isnan(as_numbers(distinct))))
    amounts = odd.filter(pc.match_substring_regex(odd, AMOUNT))
    units = pc.count_distinct(pc.replace_substring_regex(amounts, AMOUNT, r"\1")).as_py()
    with_comma = odd.filter(pa.array(~np.isnan(as_numbers(decimal_comma_to_point(odd)))))
    found = amounts if 0 < units <= MAX_UNITS else with_comma
    if len(distinct) > 2 and len(found) > 0.9 * len(distinct):
        return found[0].as_py()
    n_numbers = len(distinct) - len(odd)
    return odd[0].as_py() if odd and n_numbers > max(MANY_NUMBERS, len(odd)) else None


# -- conversions


def remarks(name: str, kind: str, array: pa.Array) -> list[tuple[str, str]]:
    """List what was converted or merged in a column: message templates, each with what it says of this column."""
    return [(template, f"'{name}' ({what})") for template, what in _remarks(kind, array)]


def report_remarks(found: Iterable[tuple[str, str]]) -> None:
    """Print the remarks on several columns, one line for each template."""
    by_template: dict[str, list[str]] = {}
    for template, what in found:
        by_template.setdefault(template, []).append(what)
    for template, items in by_template.items():
        more = f" and {len(items) - 10:,} more" if len(items) > 10 else ""
        echo(template.format(", ".join(items[:10]) + more))


def _remarks(kind: str, array: pa.Array) -> Iterator[tuple[str, str]]:
    if kind == "numeric" and is_text(array.type):
        cell = _first_converted(array)
        if cell:
            yield CONVERTED, f"{cell!r} as {as_numbers(pa.array([cell]))[0]:g}"
        units = _units(array)
        if len(units) > 1:
            yield MIXED_UNITS, ", ".join(units)
    if kind != "categorical":
        return
    code, amount = code_in(array), _find_amount(array)
    if code:
        yield CODES, repr(code)
    elif amount:
        yield AMOUNTS, repr(amount)
    if is_text(array.type):
        yield from _mixed_dates(array)
        yield from merged_categories(array)


def _first_converted(array: pa.Array) -> str | None:
    """The first value that is a number here but not for pandas."""
    distinct = array.unique().drop_null()
    not_plain = pd.to_numeric(distinct.to_pandas().str.strip(), errors="coerce").isna().to_numpy()
    cells = distinct.filter(pa.array(not_plain & ~np.isnan(as_numbers(distinct))))
    return cells[0].as_py() if len(cells) else None


def _units(array: pa.Array) -> list[str]:
    """The currency signs in a column of text; or per cent and none."""
    matches = pc.extract_regex(array.unique().drop_null(), f"(?P<unit>%|{MONEY})")
    units = {unit or "none" for unit in pc.struct_field(matches, "unit").unique().to_pylist()}
    return sorted(units if "%" in units else units - {"none"})


def _mixed_dates(array: pa.Array) -> Iterator[tuple[str, str]]:
    distinct = as_text(array).unique().drop_null()
    dates = distinct.filter(pc.match_substring_regex(distinct, DATE))
    if len(distinct) > 2 and len(dates) > 0.9 * len(distinct):
        ends = pc.min_max(distinct)
        yield MIXED_DATES, f"{ends['min'].as_py()!r} to {ends['max'].as_py()!r}"


def merged_categories(array: pa.Array) -> Iterator[tuple[str, str]]:
    """List which categories of text were merged, and which the user may have to merge: templates and what they say."""
    raw, text = array.unique().drop_null(), as_text(array)
    names = text.unique().drop_null()
    if len(names) < len(raw):
        changed = array.filter(pc.not_equal(array.cast(pa.string()), text))
        yield MERGED, f"{len(changed):,} values, such as {changed[0].as_py()!r}"
    n_alike = Counter(name.casefold() for name in names.to_pylist())
    doubtful = [name for name in names.to_pylist() if n_alike[name.casefold()] > 1]
    if doubtful:
        yield CAPITALS, ", ".join(map(repr, sorted(doubtful)[:6]))


# -- outliers


def report_outliers(target: str, values: np.ndarray, table: pa.Table, rows: np.ndarray, place: Place) -> None:
    """Report rows whose target is far from all others, such as a row of totals.

    Args:
        target: its heading.
        values: the target of each row (n,).
        table: all rows.
        rows: those that are used.
        place: names a row.
    """
    distances = np.abs(values[rows] - np.median(values[rows]))
    deviation = 1.4826 * np.median(distances)  # that of a normal distribution
    far = distances > FAR_DEVIATIONS * deviation
    if deviation == 0 or not far.any() or distances[far].min() < APART * distances[~far].max():
        return
    cells = [_describe_row(values, table, int(row), place) for row in rows[far][:3]]
    where = ", ".join(cells) + (f" and {far.sum() - 3:,} more" if far.sum() > 3 else "")
    echo(f"'{target}' is {distances[far].max() / deviation:,.0f} deviations from the median in {where}; "
         "leave out totals and mistakes, which outweigh all other rows")  # fmt: skip


def _describe_row(values: np.ndarray, table: pa.Table, row: int, place: Place) -> str:
    cells = (table[name][row].as_py() for name in table.column_names)
    text = next((f"'{cell:.30}': " for cell in cells if isinstance(cell, str)), "")
    return f"{place(row)} ({text}{values[row]:g})"
