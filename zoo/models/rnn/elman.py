"""Elman network, the plain recurrent network: h_t = tanh(W x_t + U h_{t-1} + b).

J. Elman, "Finding structure in time", Cognitive Science 1990. Deviations: trained through all steps, not one; tanh in
place of logistic units, so that the state starts at 0.
"""

from torch import nn

from zoo.models import MODELS
from zoo.models.rnn._recurrent import Recurrent


@MODELS.register("rnn/elman")
class Elman(Recurrent):
    """Stacked Elman layers; the arguments are those of `Recurrent`."""

    cell = nn.RNN
