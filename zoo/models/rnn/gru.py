"""Gated recurrent unit: an update and a reset gate on one hidden state.

K. Cho et al., "Learning phrase representations using RNN encoder-decoder" (arXiv 1406.1078, section 2.3).
Deviation: the reset gate acts after the recurrent product, as in torch.nn.GRU.
"""

from torch import nn

from zoo.models import MODELS
from zoo.models.rnn._recurrent import Recurrent


@MODELS.register("rnn/gru")
class GRU(Recurrent):
    """Stacked GRU layers; the arguments are those of `Recurrent`."""

    cell = nn.GRU
