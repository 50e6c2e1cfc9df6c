"""Texts as people have them: in a table, in files, on the lines of a file; and the reader of raw ones."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, missing_file, unknown_name
from zoo.core.spec import DataSpec
from zoo.data.columns.arrow import is_text, to_array
from zoo.data.columns.text import as_text
from zoo.data.folders import list_files, suffix
from zoo.data.formats.dialect import DELIMITERS
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import match_heading
from zoo.data.registry import PARTIAL_READERS, READERS
from zoo.data.sequences.files.recordings import read_each, sorted_files
from zoo.data.sequences.files.samples import Sequences, cells_of, decoded
from zoo.data.sequences.files.step_table import named_column
from zoo.data.sequences.inputs.padding import encode_texts, first_places
from zoo.data.splits import Batch, report_unread

ENDINGS = (".txt",)


@READERS.register("tokens")
def read_texts(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One text or several as {"tokens": (n, time), "lengths": (n,)}, and whether it was one.

    Args:
        spec: holds the alphabet; characters outside it count as unknown.
        raw: a text, a list of texts, or the path of a file: of one long text for a model whose texts have no lengths,
            else as `read_samples` takes it.
    """
    whole, single = "lengths" not in spec.inputs, isinstance(raw, str)
    if isinstance(raw, Path):
        raw = read_text(raw) if whole else read_samples(raw, spec.reading, labelled=False).values
    texts = list(raw) if isinstance(raw, Iterable) and not isinstance(raw, str) else [raw]
    empty = [str(index) for index, text in enumerate(texts) if not isinstance(text, str) or not text]
    if empty or not texts:
        raise UserError(f"a text has one character at least; there is none in text {', '.join(empty[:5]) or 'at all'}")
    if whole and len({len(text) for text in texts}) > 1:
        raise UserError("texts that a model goes on with are equally long, or given one at a time")
    return _with_unknown_said(as_trained(spec, texts), [f"text {index}" for index in range(len(texts))]), single


@PARTIAL_READERS.register("tokens")
def read_readable(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray | None]:
    """The texts of a file that have a character, as a batch, and their mask (n,) among all; the others are said."""
    if "lengths" not in spec.inputs:
        return read_texts(spec, path)[0], None
    part = read_samples(path, spec.reading, labelled=False)
    empty = np.array([not text for text in part.values], dtype=bool)
    report_unread(empty, [f"no text in {first_places(part.places, empty)}"], "texts")
    kept = np.flatnonzero(~empty)
    batch = as_trained(spec, [part.values[row] for row in kept])
    return _with_unknown_said(batch, [part.places[row] for row in kept]), ~empty


def _with_unknown_said(batch: Batch, places: Sequence[str]) -> Batch:
    """The batch; how many of its texts have characters that training has not seen is said."""
    strange = (batch["tokens"] == 0).sum(1) > batch["tokens"].shape[1] - batch["lengths"]  # padding is 0 too
    if strange.any():
        where = first_places(places, strange.numpy())
        echo(f"{int(strange.sum()):,} of {len(places):,} texts have characters that training has not seen ({where})")
    return batch


def as_trained(spec: DataSpec, texts: Sequence[str]) -> Batch:
    """Texts as the batch that a model with `spec` takes, cut as in training."""
    if (most := spec.reading.get("max_chars")) is not None:
        texts = cut(texts, most)
    return encode_texts(spec.reading["alphabet"], texts)


def cut(texts: Sequence[str], max_chars: int) -> list[str]:
    """Texts whose accents are one character with their letters, where there is such a one (NFC), cut after
    `max_chars`, which is said."""
    whole = [unicodedata.normalize("NFC", text) for text in texts]
    lengths = [len(text) for text in whole]
    if n_long := sum(length > max_chars for length in lengths):
        echo(f"{n_long:,} of {len(whole):,} texts are cut after {max_chars:,} characters (data.max_chars); the "
              f"longest has {max(lengths):,}")  # fmt: skip
    return [text[:max_chars] for text in whole]


def read_samples(path: Path, reading: Mapping[str, Any], *, labelled: bool) -> Sequences:
    """The texts of a table, or of the .txt files of a folder; if not labelled, also the lines of a file.

    Args:
        path: of a table, a folder with one for each class if labelled, or a .txt file: of a text on each line, or of
            one text for a model that has learnt from such files.
        reading: `text` and `target` may name the columns of a table, `headings` says whether it has headings.
        labelled: whether there must be a label for each text.
    """
    if not path.exists():
        raise missing_file(path)
    encoding = reading.get("encoding")
    if path.is_dir():
        return _of_files(path, labelled, encoding)
    if labelled or suffix(path.name) not in ENDINGS:
        return _of_table(path, reading, labelled)
    text = read_text(path, encoding)
    if _has_heading(text, reading.get("text")):
        return _of_table(path, reading, labelled)
    texts = [text] if reading.get("files") else text.removesuffix("\n").split("\n")
    return Sequences(texts, None, [f"line {number}" for number in range(1, len(texts) + 1)], [])


def _has_heading(text: str, column: str | None) -> bool:
    """Whether a text is a table whose headings, in its first line, have the column of texts among them."""
    first, *_ = text.splitlines() or [""]
    return column in (name.strip('" ') for name in re.split(f"[{re.escape(DELIMITERS)}]", first))


def _of_files(folder: Path, labelled: bool, encoding: str | None) -> Sequences:
    files = sorted_files(folder, ENDINGS, "texts", labelled)
    texts = read_each(files, lambda file: _content(file, encoding), "texts", labelled)
    labels = pa.array([Path(name).parts[0] for name in texts]) if labelled else None
    return Sequences(list(texts.values()), labels, list(texts), [], "classification", {"files": True})


def _of_table(path: Path, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    named = [str(reading[field]) for field in ("text", "target") if reading.get(field) is not None]
    table, place = read_table(path, cells_of(reading, named)), place_in(path, reading.get("encoding"))
    bare = reading.get("headings") is False
    first = dict(zip([f"column {k + 1}" for k in range(table.num_columns)], table.column_names, strict=True))
    table = table.rename_columns(list(first)) if bare else table
    column, label = _columns(table, reading, path, labelled)
    texts = as_text(to_array(table[column])).fill_null("").to_pylist()
    labels = to_array(table[label]) if label and labelled else None
    told = reading.get("target") is not None or reading.get("headings") is not None
    if labels is not None and not told and label in as_text(labels).unique().to_pylist():
        places = {name: number for number, name in first.items()}
        return _of_table(
            path, {**reading, "text": places[column], "target": places[label], "headings": False}, labelled
        )
    if labels is not None:
        rest = [name for name in table.column_names if name not in (column, label)]
        more = f"; left out are the columns {', '.join(rest[:5])}{', ...' * (len(rest) > 5)}" if rest else ""
        bare_told = " without headings (data.headings=true if it has some)" if bare else ""
        echo(f"{path.name}{bare_told}: texts of '{column}' (data.text), target '{label}' (data.target){more}")
    rows = list(map(place, range(len(texts))))
    if labels is not None:
        _refuse_rows_inside(texts, as_text(labels), table.column_names.index(str(label)), table.num_columns, rows)
    if bare:  # what was taken for the headings is a row
        marks = cells_of(reading).marks()
        known = {name: None if cell in marks else cell for name, cell in first.items()}
        texts, rows = [known[column] or "", *texts], [f"row 1 of {path.name}", *rows]
        first_label = None if labels is None else pa.array([known[str(label)]], pa.string())
        labels = None if labels is None else pa.concat_arrays([first_label, as_text(labels)])
    found = {"text": column, "target": label, **({"headings": False} if bare else {})} if labelled else {}
    return Sequences(texts, labels, rows, [], None, found)


def _refuse_rows_inside(texts: Sequence[str], labels: pa.Array, at: int, n_columns: int, rows: Sequence[str]) -> None:
    """Raise UserError where a text holds rows of the table, the mark of a quote that is never closed."""
    known = set(labels.drop_null().to_pylist())
    for row, text in zip(rows, texts, strict=True):
        lines = (line.split(mark) for line in text.splitlines()[1:] for mark in DELIMITERS)
        if any(len(cells) == n_columns and cells[at].strip('" ') in known for cells in lines):
            raise UserError(f"a quoted text is never closed, and holds the rows after it; it begins {text[:40]!r} in "
                            f"{row}: double or remove the quote before it")  # fmt: skip


def _columns(table: pa.Table, reading: Mapping[str, Any], path: Path, labelled: bool) -> tuple[str, str | None]:
    """The columns of texts and of labels: those named, else that of the longest texts, and that of a usual name or the
    only other."""
    bare, column = reading.get("headings") is False, reading.get("text")
    label = named_column(table, reading.get("target"), "target", labelled)
    column = None if column is None else match_heading(column, table.column_names)
    if bare and column not in table.column_names:  # new texts, alone
        label, column = None, None
    texts = {name: to_array(table[name]) for name in table.column_names if name != label}
    texts = {name: as_text(array) for name, array in texts.items() if is_text(array.type)}
    if not texts:
        raise UserError(f"a table of texts has a column of text; {path.name} has {', '.join(table.column_names[:8])}")
    if column is None:
        column = max(texts, key=lambda name: pc.mean(pc.utf8_length(texts[name])).as_py() or 0)
    if column not in table.column_names:
        raise unknown_name("column (data.text)", column, table.column_names)
    others = [name for name in table.column_names if name != column]
    if labelled and label is None and len(others) != 1:
        raise UserError(f"a table of texts has a column of labels; say which it is of {', '.join(others[:8])}: "
                        "data.target=")  # fmt: skip
    return column, others[0] if labelled and label is None else label


def without_empty(part: Sequences) -> Sequences:
    """The samples that have a text; the others are left out, and that is said."""
    empty = np.array([not text.strip() for text in part.values])
    if not empty.any():
        return part
    echo(f"left out, without a text: {empty.sum():,} of {len(empty):,} samples ({first_places(part.places, empty)})")
    kept = np.flatnonzero(~empty)
    labels = None if part.labels is None else part.labels.take(pa.array(kept))
    return replace(part, values=[part.values[k] for k in kept], labels=labels, places=[part.places[k] for k in kept])


def read_text(path: Path, encoding: str | None = None) -> str:
    """The text of a file, or of the .txt files of a folder; see `decoded` for the encoding."""
    if path.is_dir():
        files = [file for file in list_files(path) if suffix(file.name) in ENDINGS]
        return "".join(read_text(file, encoding) for file in files) or _empty(path, "holds no .txt file")
    if not path.is_file():
        raise missing_file(path)
    return _content(path, encoding) or _empty(path, "is empty")


def _content(path: Path, encoding: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    text = decoded(content, path, encoding)
    if "\0" in text:
        raise UserError(f"{path} is not a text: it holds zero bytes; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _empty(path: Path, problem: str) -> NoReturn:
    raise UserError(f"{path} {problem}; give a text file, or a folder of .txt files")
