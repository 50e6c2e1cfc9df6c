"""Texts as tokens: the place of each character in an alphabet."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zoo.core.spec import Input
from zoo.data.sequences.inputs.padding import pad
from zoo.data.splits import Batch

UNKNOWN = 0  # token of a character outside the alphabet, and of padding
N_CODE_POINTS = 0x110000  # of Unicode


def encode_text(alphabet: str, text: str) -> Tensor:
    """Encode a text as tokens (n,): 1 for the first character of the alphabet, 0 for one outside it."""
    tokens = np.full(N_CODE_POINTS, UNKNOWN, dtype=np.int64)
    tokens[_code_points(alphabet)] = np.arange(1, len(alphabet) + 1)
    return torch.from_numpy(tokens[_code_points(text)])


def encode_texts(alphabet: str, texts: Sequence[str]) -> Batch:
    """Encode texts as {"tokens": (n, time), "lengths": (n,)}, padded with 0 at their ends."""
    tokens = encode_text(alphabet, "".join(texts)).split([len(text) for text in texts])
    return dict(zip(("tokens", "lengths"), pad(tokens), strict=True))


def token_inputs(alphabet: str) -> dict[str, Input]:
    """Describe the inputs of texts of any lengths, padded at their ends."""
    tokens = Input((None,), "int64", ("time",), cardinalities=(len(alphabet) + 1,))
    return {"tokens": tokens, "lengths": Input(dtype="int64")}


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
