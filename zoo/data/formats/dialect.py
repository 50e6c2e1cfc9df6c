"""The dialect of a text file, detected from its beginning: encoding, delimiter, decimal point, row of the headings."""

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError
from zoo.data.columns.arrow import check_unique_headings
from zoo.data.columns.missing_marks import MISSING_CELLS, MISSING_MARKS
from zoo.data.columns.numbers import DECIMAL_COMMA, THOUSANDS, as_numbers, decimal_comma_to_point, leading_minus
from zoo.data.formats.text_encoding import decode_sample, undecodable
from zoo.data.options import clean_heading
from zoo.data.registry import FORMATS
from zoo.data.sources.packed import open_unpacked

DELIMITERS = "\t;|,"  # the first of them wins a tie
SAMPLE = 1 << 18  # bytes that the dialect is detected from
SAMPLE_LINES = 5  # that it is detected from at least
MAX_LINE = 1 << 23  # bytes
MAX_TITLE_ROWS = 20  # above the headings


class Dialect(NamedTuple):
    """How a text file holds a table.

    Attributes:
        encoding: name for Python and pyarrow.
        delimiter: between values, one character.
        decimal_point: "." or ",".
        headings: of the columns.
        skip: lines down to the end of the headings.
        headings_row: the row of the headings, as a spreadsheet counts it, from 1.
    """

    encoding: str
    delimiter: str
    decimal_point: str
    headings: list[str]
    skip: int
    headings_row: int


class _Row(NamedTuple):
    values: list[str]
    number: int  # as a spreadsheet counts it, from 1
    end: int  # lines of the file down to its end


def detect_dialect(path: Path, encoding: str | None = None, *, utf8: bool = True) -> Dialect:
    """Detect how a text file is written from its beginning.

    Args:
        path: of the file.
        encoding: of files that are not UTF-8; None is Windows-1252.
        utf8: whether the file may be UTF-8.

    Raises:
        UserError: for a file that is no text or has no rows, and for a title above its headings.
    """
    used_encoding, text, whole = _decode_beginning(path, encoding, utf8)
    delimiter, rows = _split_rows(text)
    if not rows:
        raise UserError(f"{path} has no headings: its first line is longer than {csv.field_size_limit():,} characters, "
                        "or a quote in it is never closed")  # fmt: skip
    _refuse_title(path, rows)
    first, *others = rows
    names = [*first.values, *[""] * _trailing_delimiters(rows)]
    headings = [clean_heading(name) or f"column {index}" for index, name in enumerate(names, 1)]
    if not others and whole:
        raise no_rows(path, headings)
    check_unique_headings(headings, str(path))
    decimal_point = "," if _has_decimal_commas(others, delimiter) else "."
    return Dialect(used_encoding, delimiter, decimal_point, headings, first.end, first.number)


def no_rows(path: Path, headings: Sequence[str]) -> UserError:
    """Build the error for a table that has only headings."""
    return UserError(f"{path} has headings, but no rows: {', '.join(headings[:5])}")


def first_text_rows(path: Path, dialect: Dialect) -> list[list[str]]:
    """Parse the whole rows below the headings in the beginning of a file, those as wide as the headings."""
    sample, whole = _read_beginning(path)
    _, text = decode_sample(sample, dialect.encoding, dialect.encoding == "utf8")
    below = "".join(io.StringIO(text, newline="").readlines()[dialect.skip :])
    rows = [row.values for row in _parse_rows(below, dialect.delimiter)]
    return [row for row in (rows if whole else rows[:-1]) if len(row) == len(dialect.headings)]


def find_text_row(path: Path, encoding: str | None, name: str) -> int | None:
    """Find the first row near the top that has a value, as a spreadsheet counts it."""
    dialect = detect_dialect(path, encoding)
    sample, _ = _read_beginning(path)
    _, text = decode_sample(sample, dialect.encoding, dialect.encoding == "utf8")
    rows = _parse_rows(text, dialect.delimiter)[:MAX_TITLE_ROWS]
    return next((row.number for row in rows if name in map(clean_heading, row.values)), None)


# -- the beginning of a file


def _decode_beginning(path: Path, encoding: str | None, utf8: bool) -> tuple[str, str, bool]:
    """The encoding of a file, its first lines, and whether they are all. UserError for what is no text."""
    sample, whole = _read_beginning(path)
    # ISO-2022 encodings, and UTF-16 without a byte order mark, may look like ASCII
    utf8 = utf8 and not (encoding and sample.isascii())
    used_encoding, text = decode_sample(sample, encoding or "cp1252", utf8)
    if not text.strip():
        raise UserError(f"{path} is empty; a table has headings in its first line, and rows")
    if re.search("[\x00-\x08\x0e-\x1f]", text):
        formats = ", ".join(FORMATS.names())
        raise UserError(f"{path} is not text; save it as one of {formats}, or register a format of your own in zoo_path"
                        "\ntext in UTF-16 without a mark is read by data.encoding=utf-16-le")  # fmt: skip
    if used_encoding not in ("utf8", "utf16") and "\ufffd" in text:
        raise undecodable(path, encoding)
    if not whole:
        text = text[: text.rfind("\n") + 1] or text
    return used_encoding, text, whole


def _read_beginning(path: Path) -> tuple[bytes, bool]:
    """Read the first bytes of a file, a few lines at least; also return whether they are all."""
    with open_unpacked(path, silent=True) as file:
        sample = file.read(SAMPLE)
        whole = len(sample) < SAMPLE
        while not whole and sample.count(b"\n") < SAMPLE_LINES and (line := file.readline(MAX_LINE)):
            sample += line
    return sample, whole


# -- delimiter


def _split_rows(text: str) -> tuple[str, list[_Row]]:
    """Detect the delimiter; split the rows from the headings on, below comments and a line such as `sep=;`."""
    lines = io.StringIO(text, newline="").readlines()
    first = lines[0].strip('"\r\n')
    separator = first[4:] if first.lower().startswith("sep=") and len(first) == len("sep=;") else ""
    start = n = 1 if separator else 0
    while n < len(lines) and (lines[n].startswith("#") or not lines[n].strip()):
        n += 1
    text = "".join(lines[n:])
    delimiter = separator or max(DELIMITERS, key=lambda candidate: _width_agreement(text, candidate))
    rows = _parse_rows(text, delimiter, n)
    if n > start and not (rows and _looks_headed(rows)):  # the last line of the comments may be the headings
        last = _parse_rows(lines[n - 1], delimiter, n - 1)
        if last and (not rows or len(last[0].values) == len(rows[0].values)):
            return delimiter, [*last, *rows]
    return delimiter, rows


def _parse_rows(text: str, delimiter: str, n_above: int = 0) -> list[_Row]:
    """Parse the rows that are not blank; `n_above` lines are above the text."""
    rows: list[_Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    with contextlib.suppress(csv.Error):  # a value longer than the module reads
        rows += (_Row(row, n_above + n, n_above + reader.line_num) for n, row in enumerate(reader, 1) if row)
    return rows


def _width_agreement(text: str, delimiter: str) -> tuple[float, int, float]:
    """Score a delimiter: the share of rows as wide as the first and its width, then the share of the commonest width.

    Rows of a single value count nothing.
    """
    widths = [len(row.values) for row in _parse_rows(text, delimiter)]
    if not widths:
        return 0.0, 0, 0.0
    commonest, n = Counter(widths).most_common(1)[0]
    first = (widths.count(widths[0]) / len(widths), widths[0]) if widths[0] > 1 else (0.0, 0)
    return *first, n / len(widths) if commonest > 1 else 0.0


# -- headings


def _refuse_title(path: Path, rows: list[_Row]) -> None:
    """Raise UserError if a row further down looks like the headings and all above it have fewer values."""
    n_filled = [sum(value.strip() != "" for value in row.values) for row in rows]
    commonest, _ = Counter(n_filled).most_common(1)[0]
    start = next(index for index, n in enumerate(n_filled) if n >= commonest)
    if 0 < start <= MAX_TITLE_ROWS and _looks_headed(rows[start:]):
        title, headings = (", ".join(filter(None, rows[index].values)) for index in (0, start))
        raise UserError(f"the first row of a table is its headings; that of {path} is {title!r:.60}, and row "
                        f"{rows[start].number} looks like headings: {headings:.80}\n"
                        "delete the rows above it, or begin each of them with #")  # fmt: skip


def _trailing_delimiters(rows: list[_Row]) -> int:
    """Count the empty values at the end of each row, beyond the headings."""
    (first, *_), *others = rows
    beyond = {len(row.values) - len(first) for row in others} if others else {0}
    return max(beyond) if len(beyond) == 1 and not any("".join(row.values[len(first) :]) for row in others) else 0


def _looks_headed(rows: list[_Row]) -> bool:
    """Whether the first row looks like headings: distinct texts, with a column of numbers below one of them."""
    names, below = rows[0].values, rows[1:101]
    filled = [name.strip() for name in names if name.strip()]
    if not below or len(set(filled)) < len(filled) or set(filled) & set(MISSING_MARKS) or _are_numbers(filled).any():
        return False
    columns = [[row.values[n].strip() for row in below if len(row.values) > n] for n, name in enumerate(names) if name]
    known = ([value for value in column if value not in MISSING_CELLS] for column in columns)
    return any(column and _are_numbers(column).all() for column in known)


def _are_numbers(values: list[str]) -> np.ndarray:
    texts = pa.array(values, pa.string())
    return ~np.isnan(as_numbers(texts)) | ~np.isnan(as_numbers(decimal_comma_to_point(texts)))


# -- decimal point


def _has_decimal_commas(rows: list[_Row], delimiter: str) -> bool:
    """Whether numbers are written as 1,5 or 1.234,5 and none as 1.5."""
    distinct = sorted({value.strip() for row in rows for value in row.values})
    values = leading_minus(pa.array(distinct, pa.string()))  # Arrow's patterns take linear time
    with_comma = values.filter(pc.match_substring_regex(values, DECIMAL_COMMA))
    with_point = values.filter(pc.match_substring_regex(values, r"^[+-]?\d+\.\d+(?:[eE][+-]?\d+)?$"))
    if pc.any(pc.match_substring_regex(values, r"^[+-]?\d{1,3}(,\d{3})+[.,]\d+$")).as_py():  # 1,234,567 or 1,234.5
        return False
    if delimiter == ",":  # where 1,234 is more likely 1234
        with_comma = with_comma.filter(pc.invert(pc.match_substring_regex(with_comma, THOUSANDS)))
    any_comma = pc.any(pc.match_substring(with_comma, ",")).as_py()
    return bool(any_comma and pc.all(pc.is_in(with_point, with_comma)).as_py() is not False)
