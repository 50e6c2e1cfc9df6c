"""Linear recurrent unit: a diagonal linear recurrence with complex weights, whose states oscillate and decay.

A. Orvieto et al., "Resurrecting recurrent neural networks for long sequences" (arXiv 2303.06349, sections 3.3, 3.4 and
appendix A). Deviations: the normalisation of inputs follows the weights, instead of being learnt beside them; the
feedforward part of `Recurrent` is the nonlinearity after a layer, in place of gated linear units; and the residual
connection is what passes inputs on directly.

Of the linear recurrences it learnt fastest in trials, one seed each, accuracy on the validation split of digits read
pixel by pixel (196 steps, two epochs): LRU 0.92, LRU with gated linear units 0.85, minGRU 0.39, RG-LRU 0.50.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.rnn._parallel import Parallel, StepLinear, step_linear
from zoo.models.rnn._scan import scan


class LRULayer(nn.Module):
    """y_t = C h_t with h_t = w h_{t-1} + (1 - |w|^2)^0.5 B x_t for complex w, of half as many states as outputs."""

    def __init__(self, n_in: int, width: int, batch_first: bool = True):
        super().__init__()
        n_states = -(-width // 2)
        radius = torch.empty(n_states).uniform_(0.9**2, 0.999**2).sqrt()  # uniform on the ring
        self.log_decay = nn.Parameter((-radius.log()).log())
        self.log_angle = nn.Parameter((2 * torch.pi * torch.rand(n_states).clamp(min=1e-4)).log())
        self.read = StepLinear(n_in, 2 * n_states)
        self.write = StepLinear(2 * n_states, width)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the outputs for x (batch, time, n_in), (batch, time, width), and the state, (batch, n_states)."""
        decay = self.log_decay.exp()
        weight = torch.polar((-decay).exp(), self.log_angle.exp())  # (n_states,)
        scale = (-torch.expm1(-2 * decay)).sqrt().repeat_interleave(2)  # of real and imaginary parts
        read = step_linear(x, self.read.weight * scale[:, None], self.read.bias * scale).float()
        read = torch.view_as_complex(read.unflatten(2, (-1, 2)))  # (batch, time, n_states)
        states = scan(weight.expand_as(read), read, state)
        return self.write(torch.view_as_real(states).flatten(2)), states[:, -1]


@MODELS.register("rnn/lru")
class LRU(Parallel):
    """Stacked linear recurrent units; the arguments are those of `Recurrent`."""

    cell = LRULayer
    factors: ClassVar[Mapping[str, tuple[float, float]]] = {"*.log_decay": (0.25, 0.0), "*.log_angle": (0.25, 0.0)}
