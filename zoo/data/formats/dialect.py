"""How a text file holds a table, told from its beginning: encoding, delimiter, decimal point, place of the headings."""

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
from zoo.data.sources.packed import open_unpacked

DELIMITERS = "\t;|,"  # of which the first is taken where several part rows alike
SAMPLE = 1 << 18  # bytes from which the dialect is told
LINES = 5  # from which the dialect is told, at least
LONGEST = 1 << 23  # bytes of a line
HIGHEST = 20  # rows of a title that may stand above the headings


class Dialect(NamedTuple):
    """How a text file holds a table. `skip` lines end with the headings, which are its row `headings_row`."""

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
    """Tell how a text file is written from its beginning.

    Args:
        path: of the file.
        encoding: of files that are not UTF-8; None is Windows-1252.
        utf8: whether the file may be UTF-8.

    Raises:
        UserError: for a file that is no text, has no rows, or lines above its headings that are no comments.
    """
    sample, whole = _beginning(path)
    given, ascii = encoding, sample.isascii()  # as which the encodings of mail, and UTF-16 without a mark, may look
    encoding, text = decode_sample(sample, given or "cp1252", utf8 and not (given and ascii))
    if not text.strip():
        raise UserError(f"{path} is empty; a table has headings in its first line, and rows")
    if re.search("[\x00-\x08\x0e-\x1f]", text):
        raise UserError(f"{path} is not text: a table is a .csv, .tsv, .txt, .jsonl or .parquet file; save it as one\n"
                        "text in UTF-16 without a mark is read by data.encoding=utf-16-le")  # fmt: skip
    if encoding not in ("utf8", "utf16") and "\ufffd" in text:
        raise undecodable(path, given)
    if not whole:
        text = text[: text.rfind("\n") + 1] or text
    delimiter, rows = _table(text)
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
    decimal_point = "," if _decimal_comma(others, delimiter) else "."
    return Dialect(encoding, delimiter, decimal_point, headings, first.end, first.number)


def _beginning(path: Path) -> tuple[bytes, bool]:
    """The first bytes of a file, some lines at least, and whether they are all of it."""
    with open_unpacked(path, silent=True) as file:
        sample = file.read(SAMPLE)
        whole = len(sample) < SAMPLE
        while not whole and sample.count(b"\n") < LINES and (line := file.readline(LONGEST)):
            sample += line
    return sample, whole


def no_rows(path: Path, headings: Sequence[str]) -> UserError:
    """The refusal of a table that has headings alone."""
    return UserError(f"{path} has headings, but no rows: {', '.join(headings[:5])}")


# -- delimiter and headings


def _table(text: str) -> tuple[str, list[_Row]]:
    """The delimiter, and the rows from the headings on: below a line such as `sep=;`, and comments."""
    lines = io.StringIO(text, newline="").readlines()
    first = lines[0].strip('"\r\n')
    separator = first[4:] if first.lower().startswith("sep=") and len(first) == len("sep=;") else ""
    start = n = 1 if separator else 0
    while n < len(lines) and (lines[n].startswith("#") or not lines[n].strip()):
        n += 1
    text = "".join(lines[n:])
    delimiter = separator or max(DELIMITERS, key=lambda candidate: _agreement(text, candidate))
    rows = _rows(text, delimiter, n)
    if n > start and not (rows and _headed(rows)):  # the last line of the comments may be the headings
        last = _rows(lines[n - 1], delimiter, n - 1)
        if last and (not rows or len(last[0].values) == len(rows[0].values)):
            return delimiter, [*last, *rows]
    return delimiter, rows


def _rows(text: str, delimiter: str, above: int = 0) -> list[_Row]:
    """The rows that are not blank, below so many lines."""
    rows: list[_Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    with contextlib.suppress(csv.Error):  # a value longer than the module reads
        rows += (_Row(row, above + n, above + reader.line_num) for n, row in enumerate(reader, 1) if row)
    return rows


def _agreement(text: str, delimiter: str) -> tuple[float, int, float]:
    """The share of rows as wide as the first, and its width, if the delimiter parts that at all; and the share of rows
    as wide as most, if it parts those."""
    widths = [len(row.values) for row in _rows(text, delimiter)]
    if not widths:
        return 0.0, 0, 0.0
    usual, n = Counter(widths).most_common(1)[0]
    first = (widths.count(widths[0]) / len(widths), widths[0]) if widths[0] > 1 else (0.0, 0)
    return *first, n / len(widths) if usual > 1 else 0.0


def _refuse_title(path: Path, rows: list[_Row]) -> None:
    """Raise UserError where a row further down looks like the headings, and all above have fewer values than rows."""
    filled = [sum(value.strip() != "" for value in row.values) for row in rows]
    usual, _ = Counter(filled).most_common(1)[0]
    place = next(n for n, one in enumerate(filled) if one >= usual)
    if 0 < place <= HIGHEST and _headed(rows[place:]):
        title, headings = (", ".join(filter(None, rows[n].values)) for n in (0, place))
        raise UserError(f"the first row of a table is its headings; that of {path} is {title!r:.60}, and row "
                        f"{rows[place].number} looks like headings: {headings:.80}\n"
                        "delete the rows above it, or begin each of them with #")  # fmt: skip


def _trailing_delimiters(rows: list[_Row]) -> int:
    """The empty values at the end of each row, beyond the headings."""
    (first, *_), *others = rows
    beyond = {len(row.values) - len(first) for row in others} if others else {0}
    return max(beyond) if len(beyond) == 1 and not any("".join(row.values[len(first) :]) for row in others) else 0


def find_text_row(path: Path, encoding: str | None, name: str) -> int | None:
    """The first row, of those below the headings, that has a value; as a spreadsheet counts it."""
    dialect = detect_dialect(path, encoding)
    sample, _ = _beginning(path)
    _, text = decode_sample(sample, dialect.encoding, dialect.encoding == "utf8")
    rows = _rows(text, dialect.delimiter)[:HIGHEST]
    return next((row.number for row in rows if name in map(clean_heading, row.values)), None)


def _headed(rows: list[_Row]) -> bool:
    """Whether the first row is text above a column of numbers, so that it looks like headings."""
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


def _decimal_comma(rows: list[_Row], delimiter: str) -> bool:
    """Whether numbers are written as 1,5 or 1.234,5 and none as 1.5."""
    distinct = sorted({value.strip() for row in rows for value in row.values})
    values = leading_minus(pa.array(distinct, pa.string()))  # Arrow's patterns take linear time
    with_comma = values.filter(pc.match_substring_regex(values, DECIMAL_COMMA))
    with_point = values.filter(pc.match_substring_regex(values, r"^[+-]?\d+\.\d+(?:[eE][+-]?\d+)?$"))
    if pc.any(pc.match_substring_regex(values, r"^[+-]?\d{1,3}(,\d{3})+[.,]\d+$")).as_py():  # 1,234,567 or 1,234.5
        return False
    if delimiter == ",":  # where 1,234 is rather 1234
        with_comma = with_comma.filter(pc.invert(pc.match_substring_regex(with_comma, THOUSANDS)))
    some = pc.any(pc.match_substring(with_comma, ",")).as_py()
    return bool(some and pc.all(pc.is_in(with_point, with_comma)).as_py() is not False)
