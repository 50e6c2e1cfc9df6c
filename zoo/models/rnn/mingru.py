"""minGRU: a gated recurrent unit whose gate and candidate see the input alone, so that it is computed in parallel.

L. Feng et al., "Were RNNs all we needed?" (arXiv 2410.01201, section 3.1). Deviation: the recurrence is computed as it
is written, by `blend`, not by logarithms (their appendix B), so that candidates may have either sign.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.rnn._parallel import Parallel, StepLinear
from zoo.models.rnn._scan import blend


class MinGRULayer(nn.Module):
    """h_t = (1 - z_t) h_{t-1} + z_t V x_t with the gate z_t = sigmoid(W x_t)."""

    def __init__(self, n_in: int, width: int, batch_first: bool = True):
        super().__init__()
        self.linear = StepLinear(n_in, 2 * width)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the states of x (batch, time, n_in), (batch, time, width), and the last one, (batch, width)."""
        gate, candidate = self.linear(x).float().chunk(2, dim=2)
        states = blend(gate.sigmoid(), candidate, state)
        return states, states[:, -1]


@MODELS.register("rnn/mingru")
class MinGRU(Parallel):
    """Stacked minGRU layers; the arguments are those of `Recurrent`."""

    cell = MinGRULayer
