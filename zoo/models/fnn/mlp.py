"""Multilayer perceptron: layers of weights, biases and activations, trained by backpropagation.

D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors", Nature 1986.
With `residual` and `norm`, a block is that of Gorishniy et al., "Revisiting deep learning models for tabular data"
(arXiv 2106.11959, section 3.2). Deviations: one linear map a block, not two; normalisation
comes after it, not before.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import ACTIVATIONS, NORMS_1D, Network


@MODELS.register("fnn/mlp")
class MLP(Network):
    """`depth` hidden layers of `width` neurons each, then a linear output.

    Args:
        n_numeric: numbers in a row of input.
        n_outputs: outputs.
        depth: hidden layers.
        width: neurons in each hidden layer.
        activation: a name of `zoo.models.layers.ACTIVATIONS`, such as "sigmoid", "tanh", "relu", "gelu" or "silu".
        norm: "none", "batch" or "layer"; applied before the activation.
        dropout: share of each hidden layer's outputs that is zeroed in training.
        residual: whether each hidden layer after the first adds its input to its output.
    """

    def __init__(
        self,
        *,
        n_numeric: int,
        n_outputs: int,
        depth: int = 2,
        width: int = 128,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        residual: bool = False,
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        self.residual = residual
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(n_numeric if index == 0 else width, width),
                NORMS_1D.get(norm)(width),
                ACTIVATIONS.get(activation)(),
                nn.Dropout(dropout),
            )
            for index in range(depth)
        )
        self.head = nn.Linear(width, n_outputs)

    def features(self, numeric: Tensor) -> Tensor:
        """The last hidden layer, (batch, width), for inputs (batch, n_numeric)."""
        hidden = self.layers[0](numeric)  # (batch, width)
        for layer in self.layers[1:]:
            hidden = layer(hidden) + (hidden if self.residual else 0)
        return hidden
