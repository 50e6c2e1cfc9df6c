"""Perceptron: one layer of weights and biases, where neural networks began.

F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain", 1958.
Deviation: the outputs are trained by gradient descent on the task's loss (logistic or linear regression), since the
original step function has no useful gradient.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import Network, OneHot, concat_inputs


@MODELS.register("fnn/perceptron")
class Perceptron(Network):
    """output = W x + b.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column, which are one-hot encoded.
        n_outputs: outputs.
    """

    def __init__(self, *, n_numeric: int, cardinalities: Sequence[int], n_outputs: int):
        super().__init__()
        self.one_hot = OneHot(cardinalities)
        self.head = nn.Linear(n_numeric + self.one_hot.width, n_outputs)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The input itself, categories one-hot: (batch, d_in) for inputs (batch, n_numeric), (batch, n_categorical)."""
        return concat_inputs(numeric, None if categorical is None else self.one_hot(categorical))
