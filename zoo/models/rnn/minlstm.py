"""minLSTM: a long short-term memory whose gates and candidate see the input alone, so that it is computed in parallel.

L. Feng et al., "Were RNNs all we needed?" (arXiv 2410.01201, section 3.2). Deviation: as in rnn/mingru, the recurrence
is computed as it is written, not by logarithms.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.rnn._parallel import Parallel, StepLinear
from zoo.models.rnn._scan import blend


class MinLSTMLayer(nn.Module):
    """h_t = f_t h_{t-1} + i_t V x_t with gates sigmoid(W x_t) and sigmoid(U x_t) that are divided by their sum."""

    def __init__(self, n_in: int, width: int, batch_first: bool = True):
        super().__init__()
        self.linear = StepLinear(n_in, 3 * width)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the states of x (batch, time, n_in), (batch, time, width), and the last one, (batch, width)."""
        forget, read, candidate = self.linear(x).float().chunk(3, dim=2)
        i = (F.logsigmoid(read) - F.logsigmoid(forget)).sigmoid()  # i / (f + i), also where both are tiny
        states = blend(i, candidate, state)
        return states, states[:, -1]


@MODELS.register("rnn/minlstm")
class MinLSTM(Parallel):
    """Stacked minLSTM layers; the arguments are those of `Recurrent`."""

    cell = MinLSTMLayer
