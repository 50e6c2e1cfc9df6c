"""Self-normalising network: deep layers whose outputs keep mean 0 and variance 1 without a norm.

G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-normalizing neural networks", NIPS 2017, arXiv 1706.02515:
SELU (equation 2), weights drawn with variance 1 / inputs and no bias (section 2), and alpha dropout.
Deviation: categories of columns with many become vectors.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import Network


@MODELS.register("fnn/snn")
class SNN(Network):
    """`depth` hidden layers of `width` neurons each with SELU, then a linear output.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        depth: hidden layers.
        width: neurons in each hidden layer.
        dropout: share of each hidden layer's outputs that alpha dropout sets to SELU's lowest value in training.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`, such as "standard".
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`, such as "none" or "plr".
        embedding_options: the embedding's own keywords, such as {"d_embedding": 8}.
        d_category: entries of the vector of a category in columns with more than 8; 0 one-hot encodes all.
    """

    def __init__(
        self,
        *,
        n_numeric: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        depth: int = 8,
        width: int = 128,
        dropout: float = 0.0,
        scaling: str = "standard",
        embedding: str = "none",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 8,
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        self.scaling = scaling
        self.table = TableInput(
            n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category
        )
        self.layers = nn.Sequential()
        for index in range(depth):
            self.layers.append(_lecun(nn.Linear(width if index else self.table.width, width)))
            self.layers.append(nn.SELU())
            self.layers.append(nn.AlphaDropout(dropout))
        self.head = _lecun(nn.Linear(width, n_outputs))

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the embedding of numbers."""
        self.table.fit(inputs)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The last hidden layer, (batch, width), for inputs (batch, n_numeric) and (batch, n_categorical)."""
        return self.layers(self.table(numeric, categorical))


def _lecun(layer: nn.Linear) -> nn.Linear:
    """Draw weights with variance 1 / inputs, and set the bias to 0."""
    nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
