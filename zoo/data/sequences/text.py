"""A user's text, for a language model of characters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.formats.text_encoding import check_encoding
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.text_files import read_text
from zoo.data.sequences.inputs.tokens import UNKNOWN, encode_text
from zoo.data.sequences.splits.text_stream import stream_windows, text_splits
from zoo.data.splits import Split, Splits

SPLITS = ("order", "lines")
MAX_WORDS = 3  # of a line in a list, such as one of names
FACTS = Facts(
    task="language_modelling",
    rows="85 / 5 / 10 % of the characters",
    inputs="text, from a file or a folder of .txt files",
    licence="yours",
    source="yours",
)


@DATA.register("text")
def text(
    *,
    path: str | None = None,
    encoding: str | None = None,
    n_steps: int = 128,
    val_share: float = 0.05,
    test_share: float = 0.1,
    split: str | None = None,
    split_seed: int = 0,
) -> Splits:
    """Load windows of `n_steps` characters of a text; its end is the test split, the part before that validation.

    A list, such as one of names, is often sorted, so that its end is unlike its beginning: its lines are shuffled.

    Args:
        path: of a text file, or of a folder whose .txt files are read one after the other.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        n_steps: characters of a training window.
        val_share: share of the characters.
        test_share: share of the characters.
        split: "order" keeps the text in order; "lines" shuffles its lines, and copies of a line are in one split; None
            shuffles the lines of a list.
        split_seed: of the shuffle.
    """
    file = _check_path(path)
    check_shares(val_share, test_share)
    check_encoding(encoding)
    if split not in (*SPLITS, None):
        raise unknown_name("data.split", split, SPLITS)
    characters = read_text(file, encoding)
    if split == "lines" or (split is None and is_list(characters)):
        characters = shuffle_lines(characters, split_seed)
        echo(f"{file}: one entry a line, shuffled before the split; data.split=order keeps their order")
    middle, start = (round(len(characters) * share) for share in (1 - val_share - test_share, 1 - test_share))
    alphabet = "".join(sorted(set(characters[:middle])))
    stream = encode_text(alphabet, characters)
    if unseen := int((stream == UNKNOWN).sum()):
        echo(f"{file}: {unseen:,} characters after the training split do not occur in it, and count as one unknown")
    streams = stream[:middle], stream[middle:start], stream[start:]
    sizes = " / ".join(f"{len(stream):,}" for stream in streams)
    echo(f"{file.name}: {sizes} characters to train, validate and test, {len(alphabet):,} different ones; windows of "
         f"{n_steps:,} (data.n_steps)")  # fmt: skip
    return text_splits(file.stem, alphabet, streams, n_steps, licence=FACTS.licence, source=file.name)


def is_list(text: str) -> bool:
    """Whether nearly every line is an entry of a few words, such as a name."""
    lengths = [len(line.split()) for line in _lines(text)]
    return sum(0 < n <= MAX_WORDS for n in lengths) >= 0.95 * len(lengths) > 1


def shuffle_lines(text: str, seed: int) -> str:
    """Shuffle the lines of a text, with the copies of a line beside each other."""
    lines, counts = np.unique(np.array(_lines(text), object), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(lines))
    return "\n".join(np.repeat(lines[order], counts[order])) + "\n"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


@LABELLED_READERS.register("text")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read another text with the alphabet of a trained model, to measure it on all of it."""
    if spec.task != FACTS.task:
        raise UserError(f"data=text has one long text to model; this model does {spec.task}")
    path, encoding = _check_path(data["path"]), data.get("encoding")
    check_encoding(encoding)
    stream = encode_text(spec.reading["alphabet"], read_text(path, encoding))
    n_unknown = int((stream == UNKNOWN).sum())
    echo(f"{path}: all {len(stream):,} characters, {n_unknown:,} of which the training text lacks")
    return stream_windows(stream, data["n_steps"])


def _check_path(path: str | None) -> Path:
    if path is None:
        raise UserError("say which text: data=text data.path=book.txt")
    return Path(path).expanduser()
