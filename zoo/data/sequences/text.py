"""A user's text, for a language model of characters or of a small vocabulary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.formatting import number_are
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.formats.text_encoding import check_encoding
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.text_files import read_text
from zoo.data.sequences.inputs.vocabulary import CHARACTERS, Vocabulary
from zoo.data.sequences.splits.text_stream import (
    BOUNDARY,
    document_split,
    document_splits,
    stream_windows,
    text_splits,
)
from zoo.data.splits import Split, Splits

SPLITS = ("order", "lines")
MAX_WORDS = 3  # of a line in a list, such as one of names
MIN_LINES = 10  # different ones of a list
FACTS = Facts(
    task="language_modelling",
    rows="85 / 5 / 10 % of the characters",
    inputs="text, from a file or a folder of .txt files",
    licence="yours",
    source="yours",
    model="rnn/char_lm",
)


@DATA.register("text")
def text(
    *,
    path: str | None = None,
    encoding: str | None = None,
    n_steps: int = 64,
    vocabulary: str | int = CHARACTERS,
    val_share: float = 0.05,
    test_share: float = 0.1,
    split: str | None = None,
    split_seed: int = 0,
) -> Splits:
    """Load windows of `n_steps` tokens of a text; its end is the test split, the part before that validation.

    The lines of a list, such as one of names, are documents: each is read from its start to its end, and none depends
    on another. A list is often sorted, so that its end is unlike its beginning: its lines are shuffled.

    Args:
        path: of a text file, or of a folder whose .txt files are read one after the other.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        n_steps: tokens of a training window of a long text.
        vocabulary: "characters", or a number of tokens by byte-pair encoding.
        val_share: share of the characters.
        test_share: share of the characters.
        split: "order" keeps the text in order; "lines" takes each line for a document, and shuffles them, with the
            copies of a line in one split; None does so with a list.
        split_seed: of the shuffle.
    """
    file = _check_path(path)
    check_shares(val_share, test_share)
    check_encoding(encoding)
    if split not in (*SPLITS, None):
        raise unknown_name("data.split", split, SPLITS)
    characters = read_text(file, encoding)
    facts, shares = {"licence": FACTS.licence, "source": file.name}, (1 - val_share - test_share, 1 - test_share)
    if split == "lines" or (split is None and is_list(characters)):
        echo(f"{file}: one entry a line, shuffled before the split; data.split=order reads one long text")
        lines = _documents(file, characters)
        parts = share_out(lines, shares, split_seed)
        splits = document_splits(file.stem, parts, vocabulary, **facts)
        _report(file, splits, "lines", "\n".join(lines), [len(part) for part in parts])
        return splits
    middle, end = (round(len(characters) * share) for share in shares)
    texts = characters[:middle], characters[middle:end], characters[end:]
    splits = text_splits(file.stem, texts, n_steps, vocabulary, **facts)
    _report(file, splits, "characters", characters, [len(part) for part in texts], n_steps)
    return splits


def _report(file: Path, splits: Splits, what: str, text: str, sizes: Sequence[int], n_steps: int | None = None) -> None:
    """Report the sizes of the splits, and the characters that the training split lacks."""
    alphabet = splits.spec.reading["alphabet"]
    if unseen := len(text) - sum(map(text.count, alphabet + BOUNDARY * (BOUNDARY not in alphabet))):
        echo(f"{file}: {unseen:,} characters after the training split do not occur in it, and count as one unknown")
    facts = [f"{' / '.join(f'{size:,}' for size in sizes)} {what} to train, validate and test"]
    facts += [f"{len(alphabet):,} different {'characters' if what == 'lines' else 'ones'}"]
    facts += [f"{splits.spec.n_outputs:,} tokens"] if "merges" in splits.spec.reading else []
    windows = f"; windows of {n_steps:,} (data.n_steps)" if n_steps else ""
    echo(f"{file.name}: {', '.join(facts)}{windows}")


def is_list(text: str) -> bool:
    """Whether nearly every line is an entry of a few words, such as a name, and there are several."""
    lines = _lines(text)
    lengths = [len(line.split()) for line in lines]
    is_short = sum(0 < n <= MAX_WORDS for n in lengths) >= 0.95 * len(lengths)
    return is_short and len(set(lines)) >= MIN_LINES


def share_out(lines: Sequence[str], shares: Sequence[float], seed: int) -> list[list[str]]:
    """Shuffle lines, with the copies of a line beside each other, and cut them at shares of their characters; copies
    are in one part."""
    kinds, counts = np.unique(np.array(lines, object), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(kinds))
    ends = np.cumsum([(len(kinds[index]) + 1) * counts[index] for index in order])
    cuts = np.searchsorted(ends, [ends[-1] * share for share in shares]).clip([1, 2], [len(kinds) - 2, len(kinds) - 1])
    return [np.repeat(kinds[part], counts[part]).tolist() for part in np.split(order, cuts)]


def _documents(file: Path, text: str) -> list[str]:
    """The lines of a text that are not blank; how many are is reported."""
    lines = [line for line in _lines(text) if line.strip()]
    if n_blank := len(_lines(text)) - len(lines):
        echo(f"{file}: {number_are(n_blank, 'blank line')} left out")
    return lines


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


@LABELLED_READERS.register("text")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read another text with the alphabet of a trained model, to measure it on all of it."""
    if spec.task != FACTS.task:
        raise UserError(f"data=text has one long text to model; this model does {spec.task}")
    path, encoding = _check_path(data["path"]), data.get("encoding")
    check_encoding(encoding)
    vocabulary, characters = Vocabulary.of_reading(spec.reading), read_text(path, encoding)
    n_unknown = len(characters) - sum(map(characters.count, vocabulary.alphabet))
    echo(f"{path}: all {len(characters):,} characters, {n_unknown:,} of which the training text lacks")
    if "start" in spec.reading:
        return document_split(vocabulary, _documents(path, characters))
    return stream_windows(vocabulary.encode(characters), data["n_steps"])


def _check_path(path: str | None) -> Path:
    if path is None:
        raise UserError("say which text: data=text data.path=book.txt")
    return Path(path).expanduser()
