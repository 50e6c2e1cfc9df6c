"""Perceptron: one layer of weights and biases, where neural networks began.

F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain", 1958.
Deviation: the outputs are trained by gradient descent on the task's loss (logistic or linear regression), since the
original step function has no useful gradient.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import Network


@MODELS.register("fnn/perceptron")
class Perceptron(Network):
    """output = W x + b.

    Args:
        n_numeric: numbers in a row of input.
        n_outputs: outputs.
    """

    def __init__(self, *, n_numeric: int, n_outputs: int):
        super().__init__()
        self.head = nn.Linear(n_numeric, n_outputs)

    def features(self, numeric: Tensor) -> Tensor:
        """The input itself, (batch, n_numeric)."""
        return numeric
