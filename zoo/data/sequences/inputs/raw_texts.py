"""Readers of raw texts, and the batches that a trained model takes of them."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.data.raw_input import as_frame, describe
from zoo.data.registry import PARTIAL_READERS, READERS
from zoo.data.sequences.files.samples import list_places
from zoo.data.sequences.files.text_files import read_text, read_text_samples
from zoo.data.sequences.inputs.tokens import UNKNOWN
from zoo.data.sequences.inputs.vocabulary import Vocabulary
from zoo.data.splits import Batch, report_unread


@READERS.register("tokens")
def read_texts(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Read one text or several as {"tokens": (n, time), "lengths": (n,)}; and whether it was one.

    Args:
        spec: holds the alphabet; characters outside it count as unknown.
        raw: a text, a list of texts, a table with a column of them, or the path of a file: of one text for a model that
            continues it, else as `read_text_samples` takes it.
    """
    single, continues = isinstance(raw, str), spec.causal and None in spec.target.shape
    if (frame := as_frame(raw)) is not None:
        raw = _texts_of(frame, spec)
    if isinstance(raw, Path):
        raw = read_text(raw) if continues else read_text_samples(raw, spec.reading, labelled=False).values
    texts = list(raw) if isinstance(raw, Iterable) and not isinstance(raw, str | bytes) else [raw]
    if not texts or not all(isinstance(text, str) for text in texts):
        taken = "texts are a str, a list of them, a table with a column of them, or the pathlib.Path of a file"
        raise UserError(f"{taken}; got {describe(raw)}")
    if empty := [str(index) for index, text in enumerate(texts) if not spec.reading.get("start", "") + text]:
        raise UserError(f"a text has at least one character; there is none in text {', '.join(empty[:5])}")
    batch = text_batch(spec, texts)
    _report_unknown_characters(batch, [f"text {index}" for index in range(len(texts))])
    return batch, single


def _texts_of(frame: pd.DataFrame, spec: DataSpec) -> list[Any]:
    """The texts in the column that training read them from, or in the only one."""
    name, names = spec.reading.get("text"), list(map(str, frame.columns))
    if name not in names and len(names) > 1:
        raise unknown_name("column of texts", name or "text", names)
    return frame.iloc[:, names.index(name) if name in names else 0].tolist()


@PARTIAL_READERS.register("tokens")
def read_nonempty_texts(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray | None]:
    """Read the texts of a file that are not empty, and their mask (n,) among all; the others are reported."""
    if "lengths" not in spec.inputs:
        return read_texts(spec, path)[0], None
    samples = read_text_samples(path, spec.reading, labelled=False)
    empty = np.array([not text for text in samples.values], dtype=bool)
    report_unread(empty, [f"no text in {list_places(samples.places, empty)}"], "texts")
    samples = samples.take(np.flatnonzero(~empty))
    batch = text_batch(spec, samples.values)
    _report_unknown_characters(batch, samples.places)
    return batch, ~empty


def text_batch(spec: DataSpec, texts: Sequence[str]) -> Batch:
    """Build the batch that a model with `spec` takes; texts are cut as in training, and begin with the start token of
    documents."""
    max_chars = spec.reading.get("max_chars")
    texts = texts if max_chars is None else cut_texts(texts, max_chars)
    start = spec.reading.get("start", "")
    return Vocabulary.of_reading(spec.reading).batch([start + text for text in texts] if start else texts)


def cut_texts(texts: Sequence[str], max_chars: int) -> list[str]:
    """Normalise texts (NFC), so that an accented letter is one character, and cut them after `max_chars`; how many are
    longer is reported."""
    normal = [unicodedata.normalize("NFC", text) for text in texts]
    lengths = [len(text) for text in normal]
    if n_long := sum(length > max_chars for length in lengths):
        echo(f"{n_long:,} of {len(normal):,} texts are cut after {max_chars:,} characters (data.max_chars); the "
             f"longest has {max(lengths):,}")  # fmt: skip
    return [text[:max_chars] for text in normal]


def _report_unknown_characters(batch: Batch, places: Sequence[str]) -> None:
    """Report how many texts have characters that training has not seen."""
    n_padding = batch["tokens"].shape[1] - batch["lengths"]  # padding is UNKNOWN too
    unknown = (batch["tokens"] == UNKNOWN).sum(1) > n_padding
    if unknown.any():
        examples = list_places(places, unknown.numpy())
        echo(f"{int(unknown.sum()):,} of {len(places):,} texts have characters that training has not seen ({examples})")
