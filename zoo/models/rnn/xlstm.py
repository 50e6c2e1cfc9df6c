"""xLSTM: LSTMs with exponential gates, of two kinds: mLSTM with a matrix as memory, and sLSTM with recurrent gates.

M. Beck et al., "xLSTM: extended long short-term memory" (arXiv 2405.04517, sections 2.2 and 2.3). mLSTM is computed in
chunks, each by matrix products; sLSTM, whose gates read the state, in a loop. Deviations: residual connections, norms
and feedforward parts are those of `Recurrent`, without the blocks' projections and convolutions.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.rnn._parallel import Parallel, StepLinear

CHUNK = 64  # steps
MatrixState = tuple[Tensor, Tensor, Tensor]


class MLSTMLayer(nn.Module):
    """mLSTM: C_t = f_t C_{t-1} + i_t k_t v_t^T, read by a query; f and i are numbers for each of up to 4 heads."""

    def __init__(self, n_in: int, width: int, batch_first: bool = True):
        super().__init__()
        self.n_in, self.n_heads = n_in, math.gcd(width, 4)
        self.linear = StepLinear(n_in, 4 * width)  # query, key, value and output gate
        self.gates = nn.Linear(n_in, 2 * self.n_heads)  # input and forget gate
        self.norm = nn.GroupNorm(self.n_heads, width)
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias.copy_(torch.cat([torch.zeros(self.n_heads), torch.linspace(3, 6, self.n_heads)]))

    def forward(self, x: Tensor, state: MatrixState | None = None) -> tuple[Tensor, MatrixState]:
        """Compute the outputs for x (batch, time, n_in), (batch, time, width), and the memory after the last step."""
        *read, output = self.linear(x).float().chunk(4, dim=2)
        query, key, value = (one.unflatten(2, (self.n_heads, -1)).transpose(1, 2) for one in read)
        key = key / key.shape[3] ** 0.5
        log_i, forget = self.gates(x).float().transpose(1, 2).chunk(2, dim=1)  # (batch, heads, time)
        log_f, parts = F.logsigmoid(forget), []
        state = _empty(query) if state is None else state
        with torch.autocast(x.device.type, enabled=False):
            for chunk in zip(*(one.split(CHUNK, 2) for one in (query, key, value, log_i, log_f)), strict=True):
                part, state = _run_chunk(state, *chunk)
                parts.append(part)
        hidden = torch.cat(parts, 2).transpose(1, 2).flatten(2)  # (batch, time, width)
        return _normalised(self.norm, hidden) * output.sigmoid(), state


def _empty(query: Tensor) -> MatrixState:
    batch, n_heads, _, size = query.shape
    zeros = query.new_zeros(batch, n_heads, size, size)
    return zeros, zeros[..., 0], torch.full_like(zeros[..., 0, 0], -torch.inf)


def _run_chunk(
    state: MatrixState, query: Tensor, key: Tensor, value: Tensor, log_i: Tensor, log_f: Tensor
) -> tuple[Tensor, MatrixState]:
    """Run mLSTM over one chunk: (batch, heads, time, size) and (batch, heads, time) for the gates.

    The memory and the sum of its keys are kept divided by exp(m), where m is the largest exponent so far.
    """
    memory, keys, m = state
    decay = log_f.cumsum(2)  # log of what is left at each step of the memory before the chunk
    a = log_i - decay
    top = torch.maximum(m[..., None], a.cummax(2).values).detach()
    later = torch.ones(a.shape[2], a.shape[2], dtype=torch.bool, device=a.device).triu(1)
    weights = (a[..., None, :] - top[..., None]).masked_fill(later, -torch.inf).exp()  # (..., time, time)
    scores, carried = (query @ key.mT) * weights, (m[..., None] - top).exp()[..., None]
    total = scores @ value + carried * (query @ memory)
    norm = scores.sum(3, keepdim=True) + carried * (query @ keys[..., None])
    hidden = total / torch.maximum(norm.abs(), (-decay - top).clamp(max=50).exp()[..., None])
    last = top[..., -1]
    kept, added = (m - last).exp()[..., None], key * (a - last[..., None]).exp()[..., None]
    memory = kept[..., None] * memory + added.mT @ value
    return hidden, (memory, kept * keys + added.sum(2), decay[..., -1] + last)


class SLSTMLayer(nn.Module):
    """sLSTM: c_t = f_t c_{t-1} + i_t z_t, divided by its sum of gates; the gates read the state of their own head."""

    def __init__(self, n_in: int, width: int, batch_first: bool = True):
        super().__init__()
        self.n_heads = math.gcd(width, 4)
        size = width // self.n_heads
        self.linear = StepLinear(n_in, 4 * width)  # of each head: candidate, input, forget and output gate
        self.recurrent = nn.Parameter(torch.zeros(self.n_heads, size, 4 * size))
        self.norm = nn.GroupNorm(self.n_heads, width)
        with torch.no_grad():
            self.linear.bias.view(self.n_heads, 4, size)[:, 2] = torch.linspace(3, 6, size)

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute the outputs for x (batch, time, n_in), (batch, time, width), and the state after the last step."""
        inputs = self.linear(x).float().unflatten(2, (self.n_heads, -1)).movedim(2, 0)  # (heads, batch, time, 4 size)
        if state is None:
            zeros = inputs.new_zeros(self.n_heads, len(x), self.recurrent.shape[1])
            state = zeros, zeros, zeros, torch.full_like(zeros, -torch.inf)
        hidden, c, n, m = state
        steps = []
        with torch.autocast(x.device.type, enabled=False):
            for step in inputs.unbind(2):
                z, log_i, forget, output = torch.baddbmm(step, hidden, self.recurrent).chunk(4, dim=2)
                log_f = F.logsigmoid(forget) + m
                m = torch.maximum(log_f, log_i).detach()  # the largest exponent, which c and n are divided by
                i, f = (log_i - m).exp(), (log_f - m).exp()
                c, n = f * c + i * z.tanh(), f * n + i
                hidden = output.sigmoid() * c / n
                steps.append(hidden)
        states = torch.stack(steps, 2).movedim(0, 2).flatten(2)  # (batch, time, width)
        return _normalised(self.norm, states), (hidden, c, n, m)


def _normalised(norm: nn.GroupNorm, hidden: Tensor) -> Tensor:
    """Normalise each head at each step of (batch, time, width)."""
    return norm(hidden.flatten(0, 1)).view_as(hidden)


@MODELS.register("rnn/xlstm")
class XLSTM(Parallel):
    """Stacked mLSTM and sLSTM layers.

    Args:
        slstm_every: every so many layers, one is an sLSTM: 2 alternates, beginning with an mLSTM; 1 takes sLSTM alone,
            and 0 mLSTM alone, which is the fastest on long sequences.
        options: those of `Recurrent`.
    """

    cell = MLSTMLayer

    def __init__(self, *, width: int = 128, slstm_every: int = 2, **options: Any):
        if slstm_every < 0:
            raise ValueError(f"slstm_every is 0 for mLSTM alone, or above; got {slstm_every}")
        super().__init__(width=width, **options)
        for layers in (self.forwards, self.backwards):
            for index in range(slstm_every - 1, len(layers), slstm_every) if slstm_every else ():
                layer = layers[index]
                assert isinstance(layer, MLSTMLayer)
                layers[index] = SLSTMLayer(layer.n_in, width)
