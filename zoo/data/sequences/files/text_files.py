"""Texts as users have them: one long text, a text on each line of a file, a file each, or in a table."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, missing_file
from zoo.data.folders import list_files, suffix
from zoo.data.formats.dialect import DELIMITERS
from zoo.data.sequences.files.class_folders import class_of, find_class_files, read_each
from zoo.data.sequences.files.samples import Samples, decode, list_places
from zoo.data.sequences.files.text_table import read_text_table

SUFFIXES = (".txt",)


def read_text(path: Path, encoding: str | None = None) -> str:
    """Read one text from a file, or from the .txt files of a folder one after the other; see `decode`."""
    if path.is_dir():
        files = [file for file in list_files(path) if suffix(file.name) in SUFFIXES]
        return "".join(read_text(file, encoding) for file in files) or _refuse(path, "holds no .txt file")
    if not path.is_file():
        raise missing_file(path)
    return _read_content(path, encoding) or _refuse(path, "is empty")


def read_text_samples(path: Path, reading: Mapping[str, Any], *, labelled: bool) -> Samples:
    """Read the texts of a table, or of the .txt files of a folder; if not labelled, also the lines of a file.

    Args:
        path: of a table; of a folder, with one for each class if labelled; or of a .txt file with a text on each line,
            or one text for a model that was trained on such files.
        reading: `text` and `target` may name the columns of a table, `headings` says whether it has a header.
        labelled: whether there must be a label for each text.
    """
    if not path.exists():
        raise missing_file(path)
    encoding = reading.get("encoding")
    if path.is_dir():
        return _read_folder(path, labelled, encoding)
    if labelled or suffix(path.name) not in SUFFIXES:
        return read_text_table(path, reading, labelled)
    text = read_text(path, encoding)
    if _has_heading(text, reading.get("text")):
        return read_text_table(path, reading, labelled)
    texts = [text] if reading.get("files") else text.removesuffix("\n").split("\n")
    return Samples(texts, None, [f"line {number}" for number in range(1, len(texts) + 1)], [])


def drop_empty_texts(samples: Samples) -> Samples:
    """The samples that have a text; the others are reported."""
    empty = np.array([not text.strip() for text in samples.values])
    if not empty.any():
        return samples
    places = list_places(samples.places, empty)
    echo(f"left out, without a text: {empty.sum():,} of {len(empty):,} samples ({places})")
    return samples.take(np.flatnonzero(~empty))


def _has_heading(text: str, column: str | None) -> bool:
    """Whether a text is a table with `column` among the headings in its first line."""
    first, *_ = text.splitlines() or [""]
    return column in (name.strip('" ') for name in re.split(f"[{re.escape(DELIMITERS)}]", first))


def _read_folder(folder: Path, labelled: bool, encoding: str | None) -> Samples:
    files = find_class_files(folder, SUFFIXES, "texts", labelled)
    texts = read_each(files, lambda file: _read_content(file, encoding), "texts", labelled)
    labels = pa.array([class_of(name) for name in texts]) if labelled else None
    return Samples(list(texts.values()), labels, list(texts), [], "classification", {"files": True})


def _read_content(path: Path, encoding: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    text = decode(content, path, encoding)
    if "\0" in text:
        raise UserError(f"{path} is not a text: it holds zero bytes; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse(path: Path, problem: str) -> NoReturn:
    raise UserError(f"{path} {problem}; give a text file, or a folder of .txt files")
