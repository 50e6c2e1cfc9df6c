"""What all recurrent networks share: stacked layers in one or both directions, masks, pooling, `step` and `carry`.

Sequences are padded at their end. The forward direction never sees padding before data; the backward direction runs
over each sequence reversed within its own length. So no packing is needed, and padding never changes an output.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.models.layers import Network, OneHot, join, valid_steps
from zoo.models.rnn._pooling import POOLINGS


class Recurrent(Network):
    """Stacked recurrent layers, a pooling over time, and a linear output. A subclass says which `cell`.

    Args:
        n_channels: values at each step.
        cardinalities: of tokens, how many there are; a token enters one-hot, so that each has weights of its own.
        n_outputs: outputs.
        per_step: whether there is an output for each step, from the steps up to it, instead of one for the sequence.
        width: hidden units of each layer and direction.
        depth: layers.
        bidirectional: whether each layer also reads backwards; None does so unless there is an output for each step.
        dropout: share of the values between layers, and before the output, that is zeroed in training.
        pooling: "last" state of each direction, "mean", "max" or "attention" over the valid steps, or "none", which
            goes with an output for each step; None is "max" or "none".
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
        """The pooled hidden states, (batch, width x directions); with an output for each step, each step's.

        Args:
            sequence: (batch, time, n_channels), padded at the end.
            tokens: integer codes (batch, time), padded at the end.
            lengths: valid steps of each sequence, (batch,), at least 1; None where all steps are.
        """
        hidden = self._joined(sequence, tokens)
        if lengths is None:
            lengths = torch.full((len(hidden),), hidden.shape[1], device=hidden.device)
        for index, ahead in enumerate(self.forwards):
            hidden = self.dropout(hidden) if index else hidden
            output, _ = ahead(hidden)  # (batch, time, width)
            if self.backwards:
                back, _ = self.backwards[index](reverse(hidden, lengths))
                output = torch.cat([output, reverse(back, lengths)], dim=2)  # (batch, time, 2 width)
            hidden = output
        return self.dropout(self.pooling(hidden, valid_steps(lengths, hidden.shape[1])))

    def step(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """One time step, equal to `forward` over all steps so far, at constant cost.

        Args:
            state: what the step before returned; None at the start.
            inputs: the step's `sequence` (batch, n_channels) or `tokens` (batch,).

        Returns:
            The output as if the sequence ended here, (batch, n_outputs), and the state for the next step.

        Raises:
            UserError: for a bidirectional network, which needs the whole sequence.
        """
        if self.backwards:
            raise UserError("a bidirectional network reads whole sequences; use bidirectional=false to go step by step")
        states, pooled = state or (None, None)
        hidden, states = self._ahead(self._joined(**inputs)[:, None], states)  # (batch, 1, width)
        features, pooled = self.pooling.step(hidden[:, 0], pooled)
        return self.head(self.dropout(features)), (states, pooled)

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """`forward`; with an output for each step, the batch is read as one stream, its samples one after the other,
        that goes on from `state`, where the batch before ended. Returns the outputs and the state after the last step.
        """
        if not self.per_step:
            return self(**inputs), None
        joined = self._joined(**inputs)  # (batch, time, n_in)
        hidden, states = self._ahead(joined.flatten(0, 1)[None], state)  # (1, batch x time, width)
        return self.head(hidden[0].unflatten(0, joined.shape[:2])), states

    def _joined(self, sequence: Tensor | None = None, tokens: Tensor | None = None) -> Tensor:
        return join(sequence, None if tokens is None else self.one_hot(tokens[..., None]))

    def _ahead(self, hidden: Tensor, states: Any) -> tuple[Tensor, Any]:
        """The forward layers over (batch, time, n_in), from the states of each layer and to them."""
        after = []
        for index, (layer, before) in enumerate(zip(self.forwards, states or [None] * len(self.forwards), strict=True)):
            hidden, state = layer(self.dropout(hidden) if index else hidden, before)
            after.append(state)
        return hidden, after


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence (time, n) of a batch reversed within its own length; padding stays where it is."""
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # (batch, time)
    return sequence.gather(1, index[:, :, None].expand_as(sequence))
