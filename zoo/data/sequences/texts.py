"""Texts of the user's own with a class or a number each, read character by character."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.hashing import input_hashes_in_memory
from zoo.data.leakage import report_duplicates
from zoo.data.memory_limits import check_memory
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.samples import Sequences, cell_options
from zoo.data.sequences.files.text_files import as_trained, cut, read_samples, without_empty
from zoo.data.sequences.files.train_test import find_pair, measured_path, set_name
from zoo.data.sequences.inputs.padding import encode_texts, token_inputs
from zoo.data.sequences.splits.labelled import check_options, divide, measured_split
from zoo.data.splits import Batch, Split, Splits

FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where there is no test file",
    inputs="text of any length, from a table or a folder of class folders",
    licence="that of the files",
    source="files of the user's own",
)


@DATA.register("texts")
def texts(
    *,
    path: str | None = None,
    test_path: str | None = None,
    target: str | None = None,
    text: str | None = None,
    headings: bool | None = None,
    missing: Sequence[str] | None = None,
    not_missing: Sequence[str] | None = None,
    encoding: str | None = None,
    task: str | None = None,
    max_chars: int = 256,
    max_alphabet: int = 1000,
    val_share: float = 0.2,
    test_share: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """Whole texts with a class or a number each, split at random where no test file is given or found.

    Args:
        path: a table with a column of texts and one of labels, or a folder of texts, <class>/*.txt, perhaps in train/
            and test/.
        test_path: the same of the test split; None takes <name>_TEST.csv beside <name>_TRAIN.csv, whatever they end in.
        target: the column of labels, where its name is no usual one.
        text: the column of texts; None takes that of the longest.
        headings: whether a table's first line holds headings; None tells it.
        missing: marks of missing values, beside the empty cell, NA, ?, - and the like.
        not_missing: of these usual marks, those that are texts or labels, such as a class NA.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        task: "classification" or "regression"; None infers it, and says so.
        max_chars: longer texts are cut after as many characters.
        max_alphabet: characters that are told apart; the rarest beyond them count as one unknown.
        val_share: share of the texts that validate.
        test_share: share that test, where there is no test file.
        split_seed: of the splits.
    """
    check_shares(val_share, test_share)
    check_options("texts", path, task, max_chars=max_chars, max_alphabet=max_alphabet)
    train_path, tested = find_pair(Path(path or "").expanduser(), test_path)
    cells = cell_options(missing, not_missing, encoding)
    reading = {"text": text, "target": target, "headings": headings, **cells}
    train = _read(train_path, reading, max_chars)
    test = _read(tested, {**reading, **train.reading}, max_chars) if tested else None
    divided = divide(
        train,
        test,
        val=val_share,
        test_share=test_share,
        split_seed=split_seed,
        target=train.reading.get("target", "class"),
        task=task,
    )
    alphabet = _alphabet(divided.trained(), max_alphabet)
    splits = divided.splits(
        lambda part: _encoded(alphabet, part.values),
        name=set_name(path),
        inputs=token_inputs(alphabet),
        reading={**train.reading, **cells, "alphabet": alphabet, "max_chars": max_chars},
        licence=FACTS.licence,
        source=FACTS.source,
    )
    report_duplicates(*map(input_hashes_in_memory, (splits.train, splits.val, splits.test)))
    return splits


@LABELLED_READERS.register("texts")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Every text with a label of another table or folder, as a model with `spec` was trained to read them."""
    if "tokens" not in spec.inputs:
        raise UserError(f"data=texts has texts; this model takes {', '.join(spec.inputs)}")
    named = {field: data[field] for field in ("text", "target", "encoding") if data.get(field) is not None}
    path, reading = measured_path(data, "texts"), {**spec.reading, **named}
    part = _read(path, reading, spec.reading["max_chars"])
    return measured_split(spec, part, lambda part: as_trained(spec, part.values))


def _read(path: Path, reading: Mapping[str, Any], max_chars: int) -> Sequences:
    """The labelled texts of a file or folder, cut."""
    part = without_empty(read_samples(path, reading, labelled=True))
    texts = cut(part.values, max_chars)
    hashes = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts)
    return replace(part, values=texts, keys=np.array([int(one[:16], 16) for one in hashes], np.uint64))


def _alphabet(texts: Sequence[str], most: int) -> str:
    """The characters of texts, in order; the `most` frequent where there are more."""
    counts = Counter("".join(texts))
    if len(counts) > most:
        echo(f"the texts have {len(counts):,} characters; all but the {most:,} most frequent count as one unknown "
              "(data.max_alphabet)")  # fmt: skip
    return "".join(sorted(sorted(counts, key=lambda one: (-counts[one], one))[:most]))


def _encoded(alphabet: str, texts: Sequence[str]) -> Batch:
    check_memory(8 * len(texts) * max(map(len, texts)), "this set of texts, padded,", "lower data.max_chars")
    return encode_texts(alphabet, texts)
