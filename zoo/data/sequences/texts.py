"""A user's labelled texts, read character by character."""

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
from zoo.data.leakage import report_duplicates
from zoo.data.memory_limits import check_memory
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.samples import Samples, cell_options
from zoo.data.sequences.files.text_files import drop_empty_texts, read_text_samples
from zoo.data.sequences.files.train_test import data_set_name, evaluation_path, find_train_and_test
from zoo.data.sequences.inputs.raw_texts import cut_texts, text_batch
from zoo.data.sequences.inputs.tokens import encode_texts, token_inputs
from zoo.data.sequences.splits.labelled import Shares, check_options, divide, evaluation_split
from zoo.data.splits import Batch, Split, Splits, report_sizes

FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where there is no test file",
    inputs="text of any length, from a table or a folder of class folders",
    licence="that of the files",
    source="your files",
    model="rnn/ngram_gru",
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
    max_chars: int = 10_000,
    max_alphabet: int = 1000,
    val_share: float = 0.2,
    test_share: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """Load texts with a class or a number each, split at random where no test file is given or found.

    Args:
        path: a table with a column of texts and one of labels, or a folder of texts, <class>/*.txt, perhaps in train/
            and test/.
        test_path: the same of the test split; None takes <name>_TEST.csv beside <name>_TRAIN.csv, whatever they end in.
        target: the column of labels; None finds one of a usual name.
        text: the column of texts; None takes the one with the longest.
        headings: whether a table's first line holds headings; None detects it.
        missing: marks of missing values, in addition to defaults such as the empty cell, NA, ? and -.
        not_missing: default marks that are texts or labels, such as a class NA.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        task: "classification" or "regression"; None infers it and reports that.
        max_chars: characters after which longer texts are cut.
        max_alphabet: characters that have a token of their own; rarer ones count as one unknown.
        val_share: share of the texts to validate with.
        test_share: share to test with, where there is no test file.
        split_seed: of the random split.
    """
    check_shares(val_share, test_share)
    check_options("texts", path, task, max_chars=max_chars, max_alphabet=max_alphabet)
    train_path, test_path_found = find_train_and_test(Path(path or "").expanduser(), test_path)
    cells = cell_options(missing, not_missing, encoding)
    reading = {"text": text, "target": target, "headings": headings, **cells}
    train = _read(train_path, reading, max_chars)
    test = _read(test_path_found, {**reading, **train.reading}, max_chars) if test_path_found else None
    divided = divide(
        train,
        test,
        Shares(val_share, test_share, split_seed),
        target=train.reading.get("target", "class"),
        task=task,
    )
    alphabet = _alphabet(divided.train_values(), max_alphabet)
    splits = divided.splits(
        lambda samples: _encode(alphabet, samples.values),
        name=data_set_name(path),
        inputs=token_inputs(alphabet),
        reading={**train.reading, **cells, "alphabet": alphabet, "max_chars": max_chars},
        licence=FACTS.licence,
        source=FACTS.source,
    )
    report_sizes(splits, "texts")
    report_duplicates(splits)
    return splits


@LABELLED_READERS.register("texts")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read every labelled text of another table or folder, to measure a model with `spec` on."""
    if "tokens" not in spec.inputs:
        raise UserError(f"data=texts has texts; this model takes {', '.join(spec.inputs)}")
    options = {field: data[field] for field in ("text", "target", "encoding") if data.get(field) is not None}
    path, reading = evaluation_path(data, "texts"), {**spec.reading, **options}
    samples = _read(path, reading, spec.reading["max_chars"])
    return evaluation_split(spec, samples, lambda samples: text_batch(spec, samples.values))


def _read(path: Path, reading: Mapping[str, Any], max_chars: int) -> Samples:
    """Read the labelled texts of a file or folder, and cut them."""
    samples = drop_empty_texts(read_text_samples(path, reading, labelled=True))
    texts = cut_texts(samples.values, max_chars)
    hashes = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts)
    return replace(samples, values=texts, keys=np.array([int(digest[:16], 16) for digest in hashes], np.uint64))


def _alphabet(texts: Sequence[str], most: int) -> str:
    """The characters of texts, sorted; the `most` frequent ones if there are more."""
    counts = Counter("".join(texts))
    if len(counts) > most:
        echo(f"the texts have {len(counts):,} characters; all but the {most:,} most frequent count as one unknown "
              "(data.max_alphabet)")  # fmt: skip
    return "".join(sorted(sorted(counts, key=lambda character: (-counts[character], character))[:most]))


def _encode(alphabet: str, texts: Sequence[str]) -> Batch:
    check_memory(8 * len(texts) * max(map(len, texts)), "this set of texts, padded,", "lower data.max_chars")
    return encode_texts(alphabet, texts)
