"""A text of the user's own, to be predicted character by character."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.formats.text_encoding import check_encoding
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.text_files import read_text
from zoo.data.sequences.inputs.padding import encode_text
from zoo.data.sequences.splits.windows import chunks, text_splits
from zoo.data.splits import Split, Splits

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
) -> Splits:
    """Windows of `n_steps` characters of a text; its end is the test split, and what comes before that validation.

    Args:
        path: of a text file, or of a folder whose .txt files are read one after the other.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        n_steps: characters of a training window.
        val_share: share of the characters.
        test_share: share of the characters.
    """
    file = _path_of(path)
    check_shares(val_share, test_share)
    check_encoding(encoding)
    whole = read_text(file, encoding)
    middle, start = (round(len(whole) * share) for share in (1 - val_share - test_share, 1 - test_share))
    alphabet = "".join(sorted(set(whole[:middle])))
    stream = encode_text(alphabet, whole)
    unseen = int((stream == 0).sum())
    if unseen:
        echo(f"{file}: {unseen:,} characters after the training split do not occur in it, and count as one unknown")
    parts = stream[:middle], stream[middle:start], stream[start:]
    return text_splits(file.stem, alphabet, *parts, n_steps, licence=FACTS.licence, source=file.name)


@LABELLED_READERS.register("text")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """All of another text, as a model with `spec` was trained to read it."""
    if spec.task != FACTS.task:
        raise UserError(f"data=text has a text to go on with; this model does {spec.task}")
    path, encoding = _path_of(data["path"]), data.get("encoding")
    check_encoding(encoding)
    stream = encode_text(spec.reading["alphabet"], read_text(path, encoding))
    echo(f"{path}: all {len(stream):,} characters, {int((stream == 0).sum()):,} of which were not in training's text")
    return chunks(stream, data["n_steps"])


def _path_of(path: str | None) -> Path:
    if path is None:
        raise UserError("say which text: data=text data.path=book.txt")
    return Path(path).expanduser()
