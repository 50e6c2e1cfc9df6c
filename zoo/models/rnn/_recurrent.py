"""The base of recurrent networks: stacked layers in one or both directions, masks, pooling, `step` and `carry`.

Sequences are padded at their end. The forward direction reads padding only after the data; the backward direction reads
each sequence reversed within its own length. So no packing is needed, and padding never changes an output.

Residual connections with normalisation before each layer ("pre-norm") are those of R. Xiong et al., "On layer
normalization in the transformer architecture" (arXiv 2002.04745, figure 1b). Dropout with one mask for all steps of a
sequence: Y. Gal, Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks" (arXiv
1512.05287, section 4); deviation: on the inputs of layers only, not on the states between steps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.models.layers import NORMS_1D, Dropout, Network, OneHot, concat_inputs, valid_steps
from zoo.models.rnn._pooling import POOLINGS


class Recurrent(Network):
    """Stacked recurrent layers, pooling over time, and a linear output. A subclass sets `cell`.

    Args:
        n_channels: values at each step.
        n_known: values known ahead at each step of a window and of the horizon after it, which then is read too.
        cardinalities: number of tokens, if there are any; they are one-hot encoded, so that each has its own weights.
        n_outputs: outputs.
        per_step: whether each step has an output, instead of one for the sequence.
        causal: whether the output of each step may depend on the steps up to it alone.
        width: hidden units of each layer and direction.
        depth: layers.
        bidirectional: whether each layer also reads backwards; None does unless `causal`.
        residual: whether each layer but the first adds to its input instead of replacing it.
        norm: of the input of each layer but the first, and of the last layer's output: "none", "layer" or "rms".
        expansion: hidden units, in multiples of the layer's outputs, of a feedforward part with a residual connection
            after each layer; 0 is none.
        dropout: share of values between layers and before the output that is zeroed in training.
        variational: whether dropout between layers zeroes the same values at all steps of a sequence.
        pooling: "last" state of each direction, "mean", "max" or "attention" over the valid steps, or "none" with
            `per_step`; None is "max", or "none" with `per_step`.
    """

    cell: Callable[..., nn.Module]

    def __init__(
        self,
        *,
        n_channels: int,
        n_known: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        per_step: bool,
        causal: bool,
        width: int = 128,
        depth: int = 1,
        bidirectional: bool | None = None,
        residual: bool = False,
        norm: str = "none",
        expansion: int = 0,
        dropout: float = 0.0,
        variational: bool = True,
        pooling: str | None = None,
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        if expansion < 0:
            raise ValueError(f"expansion is 0 for no feedforward part, or above; got {expansion}")
        bidirectional = not causal if bidirectional is None else bidirectional
        pooling = ("none" if per_step else "max") if pooling is None else pooling
        if per_step and pooling != "none":
            raise ValueError("an output for each step goes with pooling=none; or leave it null")
        if causal and bidirectional:
            raise ValueError("a model of what comes next reads forwards alone: bidirectional=false; or leave it null")
        if pooling == "none" and not per_step:
            raise ValueError("one output for a sequence needs a pooling: last, mean, max or attention")
        n_directions = 2 if bidirectional else 1
        d_features = width * n_directions
        self.per_step, self.residual = per_step, residual
        self.one_hot = OneHot(cardinalities)
        sizes = [n_channels + n_known + self.one_hot.width] + [d_features] * (depth - 1)
        self.forwards = nn.ModuleList(self.cell(size, width, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(self.cell(size, width, batch_first=True) for size in sizes * bidirectional)
        self.norms = nn.ModuleList(norm_of_each_step(norm, d_features) for _ in sizes)
        self.feedforwards = nn.ModuleList(
            FeedForward(d_features, expansion * d_features, norm) for _ in sizes * bool(expansion)
        )
        self.dropout = VariationalDropout(dropout) if variational else Dropout(dropout)
        self.pooling = POOLINGS.get(pooling)(d_features, n_directions)
        self.head = nn.Linear(d_features, n_outputs)

    @torch.no_grad()
    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Start from the share of the training steps that have each label, where steps have labels: most are rare, such
        as notes, and the first updates would learn nothing else."""
        if not self.per_step:
            return
        total: Any = 0.5  # of one step more, which keeps the bias finite
        n = 1
        for target in (batch["target"] for batch in inputs):
            if not target.is_floating_point():
                return
            known = target[~target[..., 0].isnan()]  # (n, n_labels)
            total, n = total + known.sum(0), n + len(known)
        assert isinstance(self.head, nn.Linear)
        self.head.bias.copy_((total / n).logit())

    def features(
        self,
        sequence: Tensor | None = None,
        tokens: Tensor | None = None,
        lengths: Tensor | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        """Compute the pooled hidden states, (batch, width x directions); with `per_step`, those of each step.

        Args:
            sequence: (batch, time, n_channels), padded at the end.
            tokens: integer codes (batch, time), padded at the end.
            lengths: valid steps of each sequence, (batch,), at least 1; None where all steps are.
            known: what is known ahead, (batch, time + horizon, n_known).
        """
        hidden = self._encode(_with_known(sequence, known), tokens)
        if lengths is None:
            lengths = torch.full((len(hidden),), hidden.shape[1], device=hidden.device)
        hidden, _ = self._run(hidden, lengths=lengths)
        return self.dropout(self.pooling(hidden, valid_steps(lengths, hidden.shape[1])))

    def hidden_states(self, **inputs: Tensor) -> Tensor:
        """Compute what is pooled: the states of the last layer at each step, (batch, time, width x directions); the
        inputs are those of `features`."""
        states: list[Tensor] = []
        hook = self.pooling.register_forward_pre_hook(lambda _, arguments: states.append(arguments[0]))
        try:
            self.features(**inputs)
        finally:
            hook.remove()
        return states[0]

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
            raise UserError("a bidirectional network reads whole sequences; train one with model.bidirectional=false")
        states, pooled = state or (None, None)
        hidden, states = self._run(self._encode(**inputs)[:, None], states)  # (batch, 1, width)
        features, pooled = self.pooling.step(hidden[:, 0], pooled)
        return self.head(self.dropout(features)), (states, pooled)

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Compute `forward`; with `per_step`, read a batch without `lengths` as one stream that continues from `state`.

        Returns:
            The outputs, and the state after the last step.
        """
        if not self.per_step or "lengths" in inputs:
            return self(**inputs), None
        output, state = self.advance(state, **{name: value.flatten(0, 1)[None] for name, value in inputs.items()})
        return output[0].unflatten(0, next(iter(inputs.values())).shape[:2]), state

    def advance(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        hidden, state = self._run(self._encode(**inputs), state)  # (batch, time, width)
        return self.head(self.dropout(hidden)), state

    def _encode(self, sequence: Tensor | None = None, tokens: Tensor | None = None) -> Tensor:
        return concat_inputs(sequence, None if tokens is None else self.one_hot(tokens[..., None]))

    def _run(self, hidden: Tensor, states: Any = None, *, lengths: Tensor | None = None) -> tuple[Tensor, list[Any]]:
        """Run all layers over (batch, time, n_in), the forward ones from the state of each.

        Returns:
            The normalised outputs of the last layer, (batch, time, width x directions), and the new states.
        """
        after = []
        for index, before in enumerate(states or [None] * len(self.forwards)):
            entry = self.dropout(self.norms[index - 1](hidden)) if index else hidden
            output, state = self.forwards[index](entry, before)  # (batch, time, width)
            if self.backwards:
                assert lengths is not None
                backward, _ = self.backwards[index](reverse(entry, lengths))
                output = torch.cat([output, reverse(backward, lengths)], dim=2)  # (batch, time, 2 width)
            hidden = hidden + output if self.residual and index else output
            hidden = hidden + self.feedforwards[index](hidden) if self.feedforwards else hidden
            after.append(state)
        return self.norms[-1](hidden), after


class FeedForward(nn.Sequential):
    """Normalisation and a network of one hidden layer, on each step alone: (..., width) to (..., width)."""

    def __init__(self, width: int, hidden: int, norm: str):
        super().__init__(norm_of_each_step(norm, width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class VariationalDropout(Dropout):
    """Dropout that zeroes the same values at all steps of (batch, time, width); of (batch, width), any values."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2 or not self.training or not self.p:
            return super().forward(x)
        return x * super().forward(x.new_ones(len(x), 1, x.shape[2]))


def _with_known(sequence: Tensor | None, known: Tensor | None) -> Tensor | None:
    """A window and the steps after it, at which the series is 0, its mean; with what is known ahead of them all."""
    if sequence is None or known is None:
        return sequence
    return torch.cat([F.pad(sequence, (0, 0, 0, known.shape[1] - sequence.shape[1])), known], dim=2)


def norm_of_each_step(name: str, width: int) -> nn.Module:
    """Create a normalisation of each step (..., width) alone, by its name."""
    norm = NORMS_1D.get(name)
    if issubclass(norm, nn.BatchNorm1d):
        raise ValueError(f"norm={name} would mix padding into its statistics; take none, layer or rms")
    return norm(width)


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence (time, n) of a batch within its own length; padding stays in place."""
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # (batch, time)
    return sequence.gather(1, index[:, :, None].expand_as(sequence))
