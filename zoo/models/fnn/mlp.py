"""Multilayer perceptron: layers of weights, biases and activations, trained by backpropagation.

D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors", Nature 1986.
With `residual` and `norm`, a block is that of Gorishniy et al., "Revisiting deep learning models for tabular data"
(arXiv 2106.11959, section 3.2).
Deviations: one linear map a block, not two; normalisation comes after it, not before, also in the first layer, and not
before the head.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import ACTIVATIONS, NORMS_1D, Network


@MODELS.register("fnn/mlp")
class MLP(Network):
    """`depth` hidden layers of `width` neurons each, then a linear output.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        depth: hidden layers.
        width: neurons in each hidden layer.
        activation: a name of `zoo.models.layers.ACTIVATIONS`, such as "sigmoid", "tanh", "relu", "gelu" or "silu".
        norm: "none", "batch", "layer" or "rms"; applied before the activation.
        dropout: share of each hidden layer's outputs that is zeroed in training.
        residual: whether each hidden layer after the first adds its input to its output.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`: "standard", "robust" or "quantile".
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`, such as "piecewise_linear" or "plr".
        embedding_options: the embedding's own keywords, such as {"d_embedding": 8}.
        d_category: entries of the vector of a category in columns with more than 8; 0 one-hot encodes all.
    """

    def __init__(
        self,
        *,
        n_numeric: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        depth: int = 2,
        width: int = 128,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        residual: bool = False,
        scaling: str = "standard",
        embedding: str = "none",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 0,
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        self.residual, self.scaling = residual, scaling
        self.table = TableInput(
            n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category
        )
        self.layers = nn.ModuleList(
            _sequential(
                nn.Linear(self.table.width if index == 0 else width, width),
                NORMS_1D.get(norm)(width),
                ACTIVATIONS.get(activation)(),
                nn.Dropout(dropout) if dropout else nn.Identity(),
            )
            for index in range(depth)
        )
        self.head = nn.Linear(width, n_outputs)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the embedding of numbers."""
        self.table.fit(inputs)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The last hidden layer, (batch, width), for inputs (batch, n_numeric) and (batch, n_categorical)."""
        hidden = self.table(numeric, categorical)
        for index, layer in enumerate(self.layers):
            output = layer(hidden)  # (batch, width)
            hidden = output + hidden if self.residual and index else output
        return hidden


def _sequential(*layers: nn.Module) -> nn.Sequential:
    """The layers in order, without identities: calling one takes as long as a small layer computes."""
    return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.Identity)))
