"""GRU layers behind a short convolutional front, which finds local patterns and may shorten long recordings.

D. Amodei et al., "Deep Speech 2" (arXiv 1512.02595, section 3): convolutions over time, then recurrent layers, and
strides where the recurrence would be long. Deviations: GRU layers and the options of `Recurrent` in place of its stack;
one-dimensional convolutions only; layer normalisation of each step in place of batch normalisation, so that neither
padding nor later steps count; with a stride, each output of the layers holds for the steps up to the next one, so that
every step has an output.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import OneHot, valid_steps
from zoo.models.rnn._recurrent import Recurrent


@MODELS.register("rnn/conv_gru")
class ConvGRU(Recurrent):
    """Convolutions over time, then stacked GRU layers.

    Args:
        n_channels: values at each step.
        n_known: values known ahead at each step.
        cardinalities: number of tokens, if there are any; they are one-hot encoded.
        n_convs: convolutions before the layers, each of `width` filters.
        kernel: steps that a convolution covers: the last ones, or, in a bidirectional network, those around a step.
        stride: of the first convolution: the layers read a sequence that is so many times shorter.
        options: those of `Recurrent`.
    """

    cell = nn.GRU

    def __init__(
        self,
        *,
        n_channels: int,
        n_known: int,
        cardinalities: Any,
        width: int = 128,
        n_convs: int = 2,
        kernel: int = 5,
        stride: int = 1,
        **options: Any,
    ):
        if min(n_convs, kernel, stride) < 1:
            raise ValueError(
                f"n_convs, kernel and stride are at least 1; got n_convs={n_convs}, kernel={kernel}, stride={stride}"
            )
        super().__init__(
            n_channels=width, n_known=0, cardinalities=(), width=width, **options
        )  # of the front's outputs
        self.one_hot = OneHot(cardinalities)
        sizes = [n_channels + n_known + self.one_hot.width] + [width] * (n_convs - 1)
        self.strides = [stride] + [1] * (n_convs - 1)
        self.convs = nn.ModuleList(
            Convolution(size, width, kernel, stride, causal=not self.backwards)
            for size, stride in zip(sizes, self.strides, strict=True)
        )
        self.conv_norms = nn.ModuleList(nn.LayerNorm(width) for _ in sizes)

    def _run(self, hidden: Tensor, states: Any = None, *, lengths: Tensor | None = None) -> tuple[Tensor, list[Any]]:
        """Run the front, then the layers, see `Recurrent._run`; each step of `hidden` has an output."""
        *convs, layers, held = states or [None] * (len(self.convs) + 2)
        missed, n_steps = convs[0][1] if states else 0, hidden.shape[1]
        for number, (conv, norm) in enumerate(zip(self.convs, self.conv_norms, strict=True)):
            if lengths is not None:
                hidden = hidden * valid_steps(lengths, hidden.shape[1])[:, :, None]
                lengths = (lengths - 1) // self.strides[number] + 1
            hidden, convs[number] = conv(hidden, convs[number])
            hidden = norm(hidden).relu()
        if hidden.shape[1]:
            hidden, layers = super()._run(self.dropout(hidden), layers, lengths=lengths)
        hidden = torch.cat([held, hidden], 1) if missed else hidden
        every = hidden.repeat_interleave(self.strides[0], 1)[:, missed : missed + n_steps]
        return every, [*convs, layers, hidden[:, -1:]]


class Convolution(nn.Module):
    """A convolution over time of whole sequences or of a stream; the first step and every `stride`-th after it have an
    output.

    Args:
        n_in: values at each step.
        n_out: filters.
        kernel: steps that a filter covers.
        stride: steps from one output to the next.
        causal: whether filters cover a step and those before it, instead of those on both sides.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, *, causal: bool):
        super().__init__()
        self.filters = nn.Conv1d(n_in, n_out, kernel, stride)
        self.stride, self.n_before = stride, kernel - 1
        self.n_later = 0 if causal else (kernel - 1) // 2

    def forward(self, x: Tensor, state: tuple[Tensor, int] | None = None) -> tuple[Tensor, tuple[Tensor, int]]:
        """Convolve x, (batch, time, n_in), which continues after `state`.

        Returns:
            The outputs, (batch, at most time / stride + 1, n_out), and the state: the last kernel - 1 steps, and the
            number of steps from the last output to the end, modulo the stride.
        """
        before, since = state or (x.new_zeros(len(x), self.n_before - self.n_later, x.shape[2]), 0)
        skipped, since = -since % self.stride, (since + x.shape[1]) % self.stride
        seen = F.pad(torch.cat([before, x], 1), (0, 0, 0, self.n_later))  # (batch, kernel - 1 + time, n_in)
        after = seen[:, seen.shape[1] - self.n_before :], since
        if x.shape[1] <= skipped:
            return x.new_empty(len(x), 0, self.filters.out_channels), after
        return self.filters(seen[:, skipped:].transpose(1, 2)).transpose(1, 2), after
