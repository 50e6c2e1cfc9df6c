"""The vocabulary of a language model: characters, or pieces of text by byte-pair encoding.

R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword units" (arXiv 1508.07909,
section 3.2): the most frequent pair of pieces becomes a piece of its own, until there are enough. No piece goes beyond
a word with the space before it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.extras import install_command
from zoo.data.sequences.inputs.padding import pad
from zoo.data.sequences.inputs.tokens import encode_text, encode_texts
from zoo.data.splits import Batch

CHARACTERS = "characters"
UNKNOWN_PIECE = "\N{REPLACEMENT CHARACTER}"  # token 0
WORDS = r" ?\w+| ?[^\w\s]+|\s"
PART = 10_000  # characters that are handed to the trainer at once


@dataclass(frozen=True)
class Vocabulary:
    """Pieces of text, each a token: characters, and what pairs of pieces were merged to.

    Args:
        alphabet: the characters; the first is token 1, and 0 is any other.
        merges: pairs of pieces in the order in which they are merged; their tokens follow on the alphabet's.
    """

    alphabet: str
    merges: Sequence[Sequence[str]] = ()

    @classmethod
    def of_text(cls, text: str, size: str | int = CHARACTERS) -> "Vocabulary":
        """The characters of a text, or `size` tokens by byte-pair encoding.

        Raises:
            UserError: for another size, one with less than a merge, and without the package `tokenizers`.
        """
        alphabet = "".join(sorted(set(text)))
        if size == CHARACTERS:
            return cls(alphabet)
        least = len(alphabet) + 2
        if type(size) is not int or size < least:
            raise UserError(
                f"data.vocabulary is {CHARACTERS}, or a number of tokens: of {len(alphabet)} different characters at "
                f"least {least}; got {size}"
            )
        return cls(alphabet, learn_merges(text, alphabet, size))

    @classmethod
    def of_reading(cls, reading: Mapping[str, Any]) -> "Vocabulary":
        """That of a spec's `reading`."""
        return cls(reading["alphabet"], reading.get("merges", ()))

    @property
    def reading(self) -> dict[str, Any]:
        """What a spec's `reading` holds of it, plain JSON."""
        return {"alphabet": self.alphabet, **({"merges": [list(pair) for pair in self.merges]} if self.merges else {})}

    @property
    def pieces(self) -> list[str]:
        """The text of each token."""
        return list(dict.fromkeys([UNKNOWN_PIECE, *self.alphabet, *(left + right for left, right in self.merges)]))

    def encode(self, text: str) -> Tensor:
        """The tokens (n,) of a text."""
        return self.encode_all([text])[0] if self.merges else encode_text(self.alphabet, text)

    def encode_all(self, texts: Sequence[str]) -> list[Tensor]:
        """The tokens (n,) of each text."""
        if not self.merges:
            return list(encode_text(self.alphabet, "".join(texts)).split([len(text) for text in texts]))
        tokenizer = _tokenizer(self.pieces, self.merges)
        return [torch.tensor(one.ids, dtype=torch.int64) for one in tokenizer.encode_batch(list(texts))]

    def batch(self, texts: Sequence[str]) -> Batch:
        """Texts as {"tokens": (n, time), "lengths": (n,)}, padded with 0 at their ends."""
        if not self.merges:
            return encode_texts(self.alphabet, texts)
        return dict(zip(("tokens", "lengths"), pad(self.encode_all(texts)), strict=True))


def learn_merges(text: str, alphabet: str, size: int) -> list[list[str]]:
    """The merges that bring a text's vocabulary to `size` tokens; fewer, where pairs do not repeat."""
    tokenizer, trainers = _tokenizer([UNKNOWN_PIECE, *alphabet], ()), _tokenizers().trainers
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=[UNKNOWN_PIECE], initial_alphabet=list(alphabet),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator((text[i : i + PART] for i in range(0, len(text), PART)), trainer)
    return [list(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def _tokenizer(pieces: Sequence[str], merges: Sequence[Sequence[str]]) -> Any:
    """The package's tokenizer."""
    package = _tokenizers()
    vocabulary = {piece: token for token, piece in enumerate(pieces)}
    pairs = [(left, right) for left, right in merges]
    tokenizer = package.Tokenizer(package.models.BPE(vocabulary, pairs, unk_token=UNKNOWN_PIECE))
    tokenizer.pre_tokenizer = package.pre_tokenizers.Split(package.Regex(WORDS), "isolated")
    return tokenizer


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise UserError(
            f"byte-pair encoding needs the package tokenizers: {install_command('tokenizers')}\n"
            "data.vocabulary=characters needs none"
        ) from error
    return tokenizers
