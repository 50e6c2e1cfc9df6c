"""What all recurrent classifiers share: stacked layers in one or both directions, masks, pooling, and `step`.

Sequences are padded at their end. The forward direction never sees padding before data; the backward direction runs
over each sequence reversed within its own length. So no packing is needed, and padding never changes an output.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.models.layers import Network, valid_steps
from zoo.models.rnn._pooling import POOLINGS


class Recurrent(Network):
    """Stacked recurrent layers, a pooling over time, and a linear output. A subclass says which `cell`.

    Args:
        n_channels: values at each step.
        n_outputs: outputs.
        width: hidden units of each layer and direction.
        depth: layers.
        bidirectional: whether each layer also reads backwards.
        dropout: share of the values between layers, and before the output, that is zeroed in training.
        pooling: "last" valid step, "mean", "max" or "attention" over the valid steps.
    """

    cell: Callable[..., nn.Module]

    def __init__(
        self,
        *,
        n_channels: int,
        n_outputs: int,
        width: int = 128,
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        pooling: str = "max",
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        n_directions = 2 if bidirectional else 1
        sizes = [n_channels] + [width * n_directions] * (depth - 1)
        self.forwards = nn.ModuleList(self.cell(size, width, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(self.cell(size, width, batch_first=True) for size in sizes * bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.pooling = POOLINGS.get(pooling)(width * n_directions)
        self.head = nn.Linear(width * n_directions, n_outputs)

    def features(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """The pooled hidden states, (batch, width x directions).

        Args:
            sequence: (batch, time, n_channels), padded at the end.
            lengths: valid steps of each sequence, (batch,), at least 1.
        """
        hidden = sequence
        for index, ahead in enumerate(self.forwards):
            hidden = self.dropout(hidden) if index else hidden
            output, _ = ahead(hidden)  # (batch, time, width)
            if self.backwards:
                back, _ = self.backwards[index](reverse(hidden, lengths))
                output = torch.cat([output, reverse(back, lengths)], dim=2)  # (batch, time, 2 width)
            hidden = output
        return self.dropout(self.pooling(hidden, valid_steps(lengths, hidden.shape[1])))

    def step(self, sequence: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """One time step, equal to `forward` over all steps so far, at constant cost.

        Args:
            sequence: the step's values, (batch, n_channels).
            state: what the step before returned; None at the start.

        Returns:
            The output as if the sequence ended here, (batch, n_outputs), and the state for the next step.

        Raises:
            UserError: for a bidirectional network, which needs the whole sequence.
        """
        if self.backwards:
            raise UserError("a bidirectional network reads whole sequences; use bidirectional=false to go step by step")
        hiddens, pooled = state or ([None] * len(self.forwards), None)
        hidden, new_hiddens = sequence[:, None], []  # (batch, 1, n_channels)
        for index, (ahead, before) in enumerate(zip(self.forwards, hiddens, strict=True)):
            hidden, after = ahead(self.dropout(hidden) if index else hidden, before)
            new_hiddens.append(after)
        features, pooled = self.pooling.step(hidden[:, 0], pooled)
        return self.head(self.dropout(features)), (new_hiddens, pooled)


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence (time, n) of a batch reversed within its own length; padding stays where it is."""
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # (batch, time)
    return sequence.gather(1, index[:, :, None].expand_as(sequence))
