"""The base of recurrent networks: stacked layers in one or both directions, masks, pooling, `step` and `carry`.

Sequences are padded at their end. The forward direction reads padding only after the data; the backward direction reads
each sequence reversed within its own length. So no packing is needed, and padding never changes an output.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.models.layers import Network, OneHot, concat_inputs, valid_steps
from zoo.models.rnn._pooling import POOLINGS


class Recurrent(Network):
    """Stacked recurrent layers, pooling over time, and a linear output. A subclass sets `cell`.

    Args:
        n_channels: values at each step.
        cardinalities: number of tokens, if there are any; they are one-hot encoded, so that each has its own weights.
        n_outputs: outputs.
        per_step: whether each step has an output, of the steps up to it, instead of one for the sequence.
        width: hidden units of each layer and direction.
        depth: layers.
        bidirectional: whether each layer also reads backwards; None does unless `per_step`.
        dropout: share of values between layers and before the output that is zeroed in training.
        pooling: "last" state of each direction, "mean", "max" or "attention" over the valid steps, or "none" with
            `per_step`; None is "max", or "none" with `per_step`.
    """

    cell: Callable[..., nn.Module]

    def __init__(
        self,
        *,
        n_channels: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        per_step: bool,
        width: int = 128,
        depth: int = 1,
        bidirectional: bool | None = None,
        dropout: float = 0.0,
        pooling: str | None = None,
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        bidirectional = not per_step if bidirectional is None else bidirectional
        pooling = ("none" if per_step else "max") if pooling is None else pooling
        if per_step and (bidirectional or pooling != "none"):
            raise ValueError(
                "an output for each step goes with bidirectional=false and pooling=none; or leave both null"
            )
        if pooling == "none" and not per_step:
            raise ValueError("one output for a sequence needs a pooling: last, mean, max or attention")
        n_directions = 2 if bidirectional else 1
        self.per_step = per_step
        self.one_hot = OneHot(cardinalities)
        sizes = [n_channels + self.one_hot.width] + [width * n_directions] * (depth - 1)
        self.forwards = nn.ModuleList(self.cell(size, width, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(self.cell(size, width, batch_first=True) for size in sizes * bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.pooling = POOLINGS.get(pooling)(width * n_directions, n_directions)
        self.head = nn.Linear(width * n_directions, n_outputs)

    def features(
        self, sequence: Tensor | None = None, tokens: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Compute the pooled hidden states, (batch, width x directions); with `per_step`, those of each step.

        Args:
            sequence: (batch, time, n_channels), padded at the end.
            tokens: integer codes (batch, time), padded at the end.
            lengths: valid steps of each sequence, (batch,), at least 1; None where all steps are.
        """
        hidden = self._encode(sequence, tokens)
        if lengths is None:
            lengths = torch.full((len(hidden),), hidden.shape[1], device=hidden.device)
        for index, forward in enumerate(self.forwards):
            hidden = self.dropout(hidden) if index else hidden
            output, _ = forward(hidden)  # (batch, time, width)
            if self.backwards:
                backward, _ = self.backwards[index](reverse(hidden, lengths))
                output = torch.cat([output, reverse(backward, lengths)], dim=2)  # (batch, time, 2 width)
            hidden = output
        return self.dropout(self.pooling(hidden, valid_steps(lengths, hidden.shape[1])))

    def step(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Run one time step, equal to `forward` over all steps so far, at constant cost.

        Args:
            state: returned by the step before; None at the start.
            inputs: the step's `sequence` (batch, n_channels) or `tokens` (batch,).

        Returns:
            The output as if the sequence ended here, (batch, n_outputs), and the state for the next step.

        Raises:
            UserError: for a bidirectional network, which needs whole sequences.
        """
        if self.backwards:
            raise UserError("a bidirectional network reads whole sequences; use bidirectional=false to go step by step")
        states, pooled = state or (None, None)
        hidden, states = self._run_forwards(self._encode(**inputs)[:, None], states)  # (batch, 1, width)
        features, pooled = self.pooling.step(hidden[:, 0], pooled)
        return self.head(self.dropout(features)), (states, pooled)

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Compute `forward`; with `per_step`, read the batch as one stream that continues from `state`.

        Returns:
            The outputs, and the state after the last step.
        """
        if not self.per_step:
            return self(**inputs), None
        encoded = self._encode(**inputs)  # (batch, time, n_in)
        hidden, states = self._run_forwards(encoded.flatten(0, 1)[None], state)  # (1, batch x time, width)
        return self.head(hidden[0].unflatten(0, encoded.shape[:2])), states

    def _encode(self, sequence: Tensor | None = None, tokens: Tensor | None = None) -> Tensor:
        return concat_inputs(sequence, None if tokens is None else self.one_hot(tokens[..., None]))

    def _run_forwards(self, hidden: Tensor, states: Any) -> tuple[Tensor, Any]:
        """Run the forward layers over (batch, time, n_in) from the state of each; return the new states too."""
        after = []
        for index, (layer, before) in enumerate(zip(self.forwards, states or [None] * len(self.forwards), strict=True)):
            hidden, state = layer(self.dropout(hidden) if index else hidden, before)
            after.append(state)
        return hidden, after


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence (time, n) of a batch within its own length; padding stays in place."""
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # (batch, time)
    return sequence.gather(1, index[:, :, None].expand_as(sequence))
