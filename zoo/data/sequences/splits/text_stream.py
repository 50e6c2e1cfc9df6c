"""Language modelling: a long text as windows of tokens, or short documents, each from its start to its end."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX, DataSpec, Input
from zoo.data.sequences.inputs.padding import LARGEST, pad
from zoo.data.sequences.inputs.vocabulary import CHARACTERS, Vocabulary
from zoo.data.splits import Splits, TensorSplit

BOUNDARY = "\n"  # before a document's first character, and after its last


def text_splits(
    name: str, texts: Sequence[str], n_steps: int, vocabulary: str | int = CHARACTERS, **spec: Any
) -> Splits:
    """Build the splits of a long text for language modelling.

    Args:
        name: of the data set.
        texts: of train, val and test.
        n_steps: tokens of a training window; the state is carried from window to window.
        vocabulary: "characters", or a number of tokens by byte-pair encoding; of the training text.
        spec: other fields of the DataSpec.
    """
    if n_steps < 1:
        raise UserError(f"data.n_steps is at least 1; got {n_steps}")
    known = Vocabulary.of_text(texts[0], vocabulary)
    train, val, test = (stream_windows(known.encode(text), n_steps) for text in texts)
    return Splits(language_spec(name, known, **spec), train, val, test, in_order=True)


def document_splits(
    name: str, documents: Sequence[Sequence[str]], vocabulary: str | int = CHARACTERS, **spec: Any
) -> Splits:
    """Build the splits of many short texts, each a line, for language modelling; the arguments are those of
    `text_splits`, but for the documents of each split."""
    known = Vocabulary.of_text(BOUNDARY.join([*documents[0], ""]), vocabulary)
    train, val, test = (document_split(known, lines) for lines in documents)
    return Splits(language_spec(name, known, start=BOUNDARY, **spec), train, val, test)


def language_spec(name: str, vocabulary: Vocabulary, start: str = "", **spec: Any) -> DataSpec:
    """Describe texts to a model of the next token.

    Args:
        name: of the data set.
        vocabulary: of the texts.
        start: what each document starts with, and ends with; "" for one long text.
        spec: other fields.
    """
    pieces = vocabulary.pieces
    tokens = {"tokens": Input((None,), "int64", ("time",), cardinalities=(len(pieces),))}
    return DataSpec(
        name=name,
        task="language_modelling",
        inputs={**tokens, **({"lengths": Input(dtype="int64")} if start else {})},
        n_outputs=len(pieces),
        target=Input((None,), "int64", ("time",)),
        class_names=pieces,
        reading={**vocabulary.reading, **({"start": start} if start else {})},
        target_name="the next token" if vocabulary.merges else "the next character",
        **spec,
    )


def stream_windows(stream: Tensor, n_steps: int) -> TensorSplit:
    """Cut a stream of tokens (n,) into windows (n_windows, n_steps), with the next token as each step's target; the
    last window is padded."""
    if len(stream) < 2:
        raise UserError("each split of a text has at least two characters; give a longer text")
    n_windows = -(-(len(stream) - 1) // n_steps)
    n_padding = n_windows * n_steps - (len(stream) - 1)
    tokens = F.pad(stream[:-1], (0, n_padding)).view(n_windows, n_steps)
    target = F.pad(stream[1:], (0, n_padding), value=IGNORE_INDEX).view(n_windows, n_steps)
    return TensorSplit(tokens=tokens, target=target)


def document_split(vocabulary: Vocabulary, documents: Sequence[str]) -> TensorSplit:
    """Documents as tokens (n, longest) from the start token on, with the next token as each step's target, up to the
    end token; padded at their ends."""
    if not documents:
        raise UserError("each split of a list has at least one entry; give a longer list")
    longest = max(map(len, documents))
    if (size := 16 * len(documents) * (longest + 1)) > LARGEST:
        raise UserError(
            f"padded to the longest line of {longest:,} characters, {len(documents):,} lines take {size / 1e9:.0f} GB; "
            "as one long text they take less: data.split=order"
        )
    whole = vocabulary.encode_all([BOUNDARY + document + BOUNDARY for document in documents])
    tokens, lengths = pad([one[:-1] for one in whole])
    target = torch.nn.utils.rnn.pad_sequence([one[1:] for one in whole], batch_first=True, padding_value=IGNORE_INDEX)
    return TensorSplit(tokens=tokens, lengths=lengths, target=target)
