"""Long short-term memory: gates decide what a cell state keeps, takes in and outputs.

S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 1997, with the forget gate of F. Gers,
J. Schmidhuber, F. Cummins, "Learning to forget", 2000. Equations: torch.nn.LSTM.
"""

from torch import nn

from zoo.models import MODELS
from zoo.models.rnn._recurrent import Recurrent


@MODELS.register("rnn/lstm")
class LSTM(Recurrent):
    """Stacked LSTM layers; the arguments are those of `Recurrent`."""

    cell = nn.LSTM
