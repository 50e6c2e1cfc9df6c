"""Samples of sequences or texts, as every format of file is read into."""

import codecs
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.columns.arrow import is_missing
from zoo.data.columns.missing_marks import default_marks
from zoo.data.columns.text import as_text
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.text_encoding import check_encoding, undecodable
from zoo.data.options import as_strings


@dataclass(frozen=True)
class Samples:
    """Sequences or texts, with their labels.

    Attributes:
        values: each a sequence (time, n_channels), float32 or float64, or a text.
        labels: (n,), text or numbers, null where missing, or a list for each sequence with one for each of its steps;
            None where the file has none.
        places: what each sample is called in a message.
        columns: the channels' names.
        task: "classification" or "regression", where the format states it.
        reading: options with which later files of the kind are read.
        keys: (n,) hashes of what the samples were computed from, where they were.
        steps: what the file calls the steps of each sequence, by heading, such as their times.
    """

    values: list[Any]
    labels: pa.Array | None
    places: list[str]
    columns: list[str]
    task: str | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    keys: np.ndarray | None = None
    steps: dict[str, list[list[str]]] = field(default_factory=dict)

    @property
    def per_step(self) -> bool:
        """Whether each step has its own label."""
        return self.labels is not None and pa.types.is_list(self.labels.type)

    @property
    def label_column(self) -> pa.Array:
        """The labels of all samples (n,), or of all steps of all samples (n_steps,)."""
        assert self.labels is not None
        return self.labels.flatten() if self.per_step else self.labels

    def place(self, row: int) -> str:
        """What sample number `row` is called in a message."""
        return self.places[row]

    def take(self, rows: np.ndarray) -> "Samples":
        """The samples in `rows`, in that order."""
        return replace(
            self,
            values=[self.values[row] for row in rows],
            labels=None if self.labels is None else self.labels.take(pa.array(rows)),
            places=[self.places[row] for row in rows],
            keys=None if self.keys is None else self.keys[rows],
            steps={name: [parts[row] for row in rows] for name, parts in self.steps.items()},
        )

    def drop_unlabelled(self) -> "Samples":
        """The samples that have a label, which becomes text; the others are reported.

        Raises:
            UserError: where none has one.
        """
        labels = _known_labels(self.label_column)
        unlabelled = is_missing(labels)
        if self.per_step:
            offsets = np.append(0, np.cumsum([len(one) for one in self.values])).astype(np.int32)
            labels, n_missing = pa.ListArray.from_arrays(offsets, labels), np.append(0, np.cumsum(unlabelled))
            unlabelled = np.diff(n_missing[offsets]) == np.diff(offsets)
            n_single = int(n_missing[-1] - np.diff(offsets)[unlabelled].sum())
            if n_single and not unlabelled.all():
                echo(f"not learnt and not measured, without a label: {n_single:,} of {offsets[-1]:,} steps")
        if unlabelled.all():
            raise UserError("there are no samples with a label in this file; give one with some")
        if unlabelled.any():
            places = list_places(self.places, unlabelled)
            echo(f"left out, without a label: {unlabelled.sum()} of {len(unlabelled)} samples ({places})")
        return replace(self, labels=labels).take(np.flatnonzero(~unlabelled))


def _known_labels(labels: pa.Array) -> pa.Array:
    """Labels (n,) as text, null where missing or empty."""
    texts = as_text(labels)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def list_places(places: Sequence[str], mask: np.ndarray) -> str:
    """Name the first three of the places where `mask` (n,) is true."""
    rows = np.flatnonzero(mask)
    return ", ".join(places[row] for row in rows[:3]) + (", ..." if len(rows) > 3 else "")


def list_columns(names: Sequence[str], most: int = 5) -> str:
    """Name the first few columns."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def strip_padding(values: Sequence[np.ndarray], source: str) -> list[np.ndarray]:
    """Cut the steps that are NaN in all channels off the ends of sequences (time, n_channels), and report how many.

    A sequence without any value is left as it is.
    """
    n_steps = [_last_measured(sequence) for sequence in values]
    n_padded = sum(n < len(sequence) for n, sequence in zip(n_steps, values, strict=True))
    if n_padded:
        echo(f"{source}: {n_padded:,} of {len(values):,} sequences end in steps without a value, which are taken for "
             "padding; a value in the last step, or arrays with `lengths`, keeps them")  # fmt: skip
    return [sequence[:n] for n, sequence in zip(n_steps, values, strict=True)]


def _last_measured(sequence: np.ndarray) -> int:
    """Steps up to the last one with a value."""
    gaps = np.isnan(sequence).all(axis=1) if sequence.ndim == 2 else np.zeros(1, dtype=bool)
    return len(sequence) - (0 if gaps.all() else int(gaps[::-1].argmin()))


def cell_options(missing: Any, not_missing: Any, encoding: str | None) -> dict[str, Any]:
    """Check the options on how a table's cells are read, and return those given, for later files."""
    encoding = None if encoding is None else str(encoding)
    check_encoding(encoding)
    options = {"missing": as_strings(missing), "not_missing": default_marks(not_missing), "encoding": encoding}
    return {name: value for name, value in options.items() if value}


def cell_reading(reading: Mapping[str, Any], text: Sequence[str] = ()) -> CellOptions:
    """The `CellOptions` of a table's cells, with the columns `text` read as text."""
    return CellOptions(
        text, **{name: reading[name] for name in ("missing", "not_missing", "encoding") if name in reading}
    )


def decode(content: bytes, path: Path, encoding: str | None = None) -> str:
    """Decode a file: UTF-16 with a byte order mark, UTF-8, else `encoding`; None is Windows-1252, which is reported."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if not (encoding and content.isascii()):  # encodings of mail, and UTF-16 without a mark, may look like ASCII
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode("utf-8-sig")
    if not encoding:
        echo(f"{path} is not UTF-8; it is read as Windows-1252 (data.encoding)")
        return content.decode("cp1252", "replace")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
