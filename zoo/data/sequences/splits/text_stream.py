"""Language modelling: one long text as consecutive windows of tokens."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX, DataSpec, Input
from zoo.data.splits import Splits, TensorSplit


def text_splits(name: str, alphabet: str, streams: Sequence[Tensor], n_steps: int, **spec: Any) -> Splits:
    """Build the splits of a text for language modelling.

    Args:
        name: of the data set.
        alphabet: character k has token k + 1; 0 is any other.
        streams: the tokens (n,) of train, val and test.
        n_steps: tokens of a training window; evaluation carries the state from window to window.
        spec: other fields of the DataSpec.
    """
    if n_steps < 1:
        raise UserError(f"data.n_steps is at least 1; got {n_steps}")
    n_tokens = len(alphabet) + 1
    train, val, test = (stream_windows(stream, n_steps) for stream in streams)
    return Splits(
        DataSpec(
            name=name,
            task="language_modelling",
            inputs={"tokens": Input((None,), "int64", ("time",), cardinalities=(n_tokens,))},
            n_outputs=n_tokens,
            target=Input((None,), "int64", ("time",)),
            class_names=["\N{REPLACEMENT CHARACTER}", *alphabet],
            reading={"alphabet": alphabet},
            target_name="the next character",
            **spec,
        ),
        train,
        val,
        test,
        in_order=True,
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
