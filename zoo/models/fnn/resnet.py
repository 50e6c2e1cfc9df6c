"""ResNet for tables: blocks of two linear layers with a shortcut around them.

Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko, "Revisiting deep learning models for tabular data", NeurIPS 2021,
arXiv 2106.11959, section 3.2, with the sizes of the authors' package rtdl_revisiting_models.
Deviation: categories of columns with few are one-hot encoded, not embedded.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import Network


@MODELS.register("fnn/resnet")
class ResNet(Network):
    """A linear layer, `depth` blocks, and BatchNorm, ReLU and a linear output.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        depth: blocks.
        width: entries of the vector that blocks add to.
        block_width: neurons between a block's two layers.
        dropout: share of a block's neurons that is zeroed in training.
        residual_dropout: share of a block's output that is zeroed in training.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`, such as "quantile".
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
        depth: int = 2,
        width: int = 192,
        block_width: int = 384,
        dropout: float = 0.15,
        residual_dropout: float = 0.0,
        scaling: str = "quantile",
        embedding: str = "none",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 8,
    ):
        super().__init__()
        if min(depth, width, block_width) < 1:
            rule = "depth, width and block_width are at least 1"
            raise ValueError(f"{rule}; got depth={depth}, width={width} and block_width={block_width}")
        self.scaling = scaling
        self.table = TableInput(
            n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category
        )
        self.first = nn.Linear(self.table.width, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width),
                nn.Linear(width, block_width),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(block_width, width),
                nn.Dropout(residual_dropout),
            )
            for _ in range(depth)
        )
        self.last = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU())
        self.head = nn.Linear(width, n_outputs)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the embedding of numbers."""
        self.table.fit(inputs)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The last hidden layer, (batch, width), for inputs (batch, n_numeric) and (batch, n_categorical)."""
        hidden = self.first(self.table(numeric, categorical))  # (batch, width)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.last(hidden)
