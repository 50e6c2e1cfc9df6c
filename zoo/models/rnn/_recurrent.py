"""What all recurrent classifiers share: stacked layers in one or both directions, masks, pooling, and `step`.

Sequences are padded at their end. The forward direction never sees padding before data; the backward direction runs
over each sequence reversed within its own length. So no packing is needed, and padding never changes an output.
"""

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

    cell: type[nn.RNNBase]

    def __init__(
        self,
        *,
        n_channels: int,
        n_outputs: int,
        width: int = 64,
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        n_directions = 2 if bidirectional else 1
        self.layers = nn.ModuleList(
            nn.ModuleList(
                self.cell(width * n_directions if layer else n_channels, width, batch_first=True)
                for _ in range(n_directions)
            )
            for layer in range(depth)
        )
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
        for index, directions in enumerate(self.layers):
            hidden = self.dropout(hidden) if index else hidden
            outputs = [directions[0](hidden)[0]]  # (batch, time, width)
            if len(directions) == 2:
                outputs.append(reverse(directions[1](reverse(hidden, lengths))[0], lengths))
            hidden = torch.cat(outputs, dim=2)  # (batch, time, width x directions)
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
        if len(self.layers[0]) == 2:
            raise UserError("a bidirectional network reads whole sequences; use bidirectional=false to go step by step")
        hiddens, pooled = state or ([None] * len(self.layers), None)
        hidden, new_hiddens = sequence[:, None], []  # (batch, 1, n_channels)
        for index, (directions, before) in enumerate(zip(self.layers, hiddens, strict=True)):
            hidden, after = directions[0](self.dropout(hidden) if index else hidden, before)
            new_hiddens.append(after)
        features, pooled = self.pooling.step(hidden[:, 0], pooled)
        return self.head(self.dropout(features)), (new_hiddens, pooled)


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence (time, n) of a batch reversed within its own length; padding stays where it is."""
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # (batch, time)
    return sequence.gather(1, index[:, :, None].expand_as(sequence))
