"""TabR: a feedforward network that adds what the nearest training rows say, as attention does.

Y. Gorishniy et al., "TabR: tabular deep learning meets nearest neighbors" (arXiv 2307.14338, section 3; TabR-S).
Deviations: the nearest rows are found by a matrix product rather than an index; the last linear maps of the context's
targets and corrections come after the weighted mean, which is the same function, but dropout before them is then that
of a row, not of each row of its context, and ten times faster; targets of every kind are embedded by one linear layer;
and the candidates may be a share of the training rows, drawn for each batch.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.candidates import Candidates
from zoo.models.fnn._retrieval import HIDDEN, Memory, Retrieval, Space, check_share
from zoo.models.fnn.table_input import TableInput


@MODELS.register("fnn/tabr")
class TabR(Retrieval):
    """A linear encoder, attention over the nearest training rows, `depth` blocks, and a linear output.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        n_targets: classes, labels or values.
        target_kind: "class", "labels" or "values".
        width: entries of an encoded row; blocks have twice as many neurons.
        depth: blocks after the search.
        context: nearest training rows that are attended to.
        dropout: share of the neurons that is zeroed in training, in the correction and in each block.
        context_dropout: share of the attention's weights that is zeroed in training.
        share: of the training rows, drawn as candidates for each batch; 1 searches all.
        max_candidates: training rows that are kept, in the weights file too; of more, so many are drawn once.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`: "standard", "robust" or "quantile".
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`, such as "plr_lite".
        embedding_options: the embedding's own keywords, such as {"d_embedding": 8}.
        d_category: entries of the vector of a category in columns with more than 8; 0 one-hot encodes all.
    """

    def __init__(
        self,
        *,
        n_numeric: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        n_targets: int,
        target_kind: str,
        width: int = 96,
        depth: int = 1,
        context: int = 96,
        dropout: float = 0.2,
        context_dropout: float = 0.2,
        share: float = 1.0,
        max_candidates: int = 100_000,
        scaling: str = "standard",
        embedding: str = "none",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 0,
    ):
        super().__init__(
            TableInput(n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category),
            Candidates(n_numeric, cardinalities, n_targets=n_targets, target_kind=target_kind, most=max_candidates),
        )
        self.scaling, self.share = scaling, check_share(share)
        if min(width, context) < 1 or depth < 0:
            rule = "width and context are at least 1, and depth at least 0"
            raise ValueError(f"{rule}; got width={width}, context={context} and depth={depth}")
        self.context = context
        self.encoder, self.to_key = nn.Linear(self.table.width, width), nn.Linear(width, width)
        self.target_value = nn.Linear(n_targets, width)
        for weight in self.target_value.parameters():
            nn.init.uniform_(weight, -1 / math.sqrt(2), 1 / math.sqrt(2))
        self.difference = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU())
        self.correction = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, width, bias=False))
        self.context_dropout = nn.Dropout(context_dropout)
        self.blocks = nn.ModuleList(_block(width, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_outputs)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The last hidden layer, (batch, width), for inputs (batch, n_numeric) and (batch, n_categorical)."""
        return self.found(numeric, categorical)

    def encode(self, values: Tensor) -> Tensor:
        """Encode rows (n, table.width), as (n, width)."""
        return self.encoder(values)

    def keys(self, hidden: Tensor) -> Sequence[Tensor]:
        """Queries and keys of the search, (n, width)."""
        return [self.to_key(hidden)]

    def search(self, hidden: Tensor, memory: Memory, row: Tensor | None) -> Tensor:
        """The last hidden layer, (batch, width)."""
        [query], [space] = self.keys(hidden), memory.spaces
        hidden = hidden + self._attend(query, space, memory.values, row)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return F.relu(self.norm(hidden))

    def _attend(self, query: Tensor, space: Space, values: Tensor, row: Tensor | None) -> Tensor:
        """What the nearest candidates add to rows at `query` (batch, width), as (batch, width)."""
        with torch.no_grad():
            squares = space.squared_distances(query, row)
            nearest = squares.topk(min(self.context, squares.shape[1]), largest=False)  # (batch, context)
        keys = F.embedding(nearest.indices, space.keys)  # (batch, context, width), faster backward than an index
        difference = query[:, None] - keys
        distances = difference.square().sum(-1).masked_fill(nearest.values >= HIDDEN, HIDDEN)
        weights = self.context_dropout((-distances).softmax(1))[:, None]  # (batch, 1, context)
        targets = (weights @ values[nearest.indices]).squeeze(1)  # (batch, n_targets)
        return self.target_value(targets) + self.correction((weights @ self.difference(difference)).squeeze(1))


def _block(width: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 2 * width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, width),
    )
