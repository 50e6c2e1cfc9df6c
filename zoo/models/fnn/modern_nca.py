"""ModernNCA: the mean target of the training rows, weighted by their closeness in a learnt space.

H.-J. Ye et al., "Revisiting nearest neighbor for tabular data: a deep tabular baseline two decades later" (arXiv
2407.03257, section 4).
Deviations: the rows of a batch are candidates of each other only where they are drawn; a batch and its candidates are
normalised together; and several labels at once, or several values, are predicted, the labels by their log-odds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.candidates import Candidates
from zoo.models.fnn._retrieval import Memory, Retrieval, check_share, kernel_mean
from zoo.models.fnn.table_input import TableInput

EPSILON = 1e-7


@MODELS.register("fnn/modern_nca")
class ModernNCA(Retrieval):
    """A linear layer and `depth` blocks encode rows; a softmax over negative distances weighs the training rows.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        n_targets: classes, labels or values.
        target_kind: "class", "labels" or "values".
        width: entries of an encoded row.
        depth: blocks after the linear layer: BatchNorm, `block_width` neurons, and back to `width`.
        block_width: neurons of a block.
        dropout: share of a block's neurons that is zeroed in training.
        share: of the training rows, drawn as candidates for each batch.
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
        width: int = 128,
        depth: int = 1,
        block_width: int = 256,
        dropout: float = 0.1,
        share: float = 0.35,
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
        if n_outputs != n_targets:
            raise ValueError("it gives one number for each value, that of similar rows; leave out task.head")
        if min(width, block_width) < 1 or depth < 0:
            rule = "width and block_width are at least 1, and depth at least 0"
            raise ValueError(f"{rule}; got width={width}, block_width={block_width} and depth={depth}")
        blocks = [_block(width, block_width, dropout) for _ in range(depth)]
        norm = [nn.BatchNorm1d(width)] if depth else []
        self.encoder = nn.Sequential(nn.Linear(self.table.width, width), *blocks, *norm)
        self.head = Shares(target_kind)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Encoded rows, (batch, width), for inputs (batch, n_numeric) and (batch, n_categorical)."""
        return self.encode(self.table(numeric, categorical))

    def encode(self, values: Tensor) -> Tensor:
        """Encode rows (n, table.width), as (n, width)."""
        return self.encoder(values)

    def search(self, hidden: Tensor, memory: Memory, row: Tensor | None) -> Tensor:
        """The weighted mean of the candidates' targets, (batch, n_outputs)."""
        [space] = memory.spaces
        return kernel_mean(space.distances(hidden, row), memory.counted)


def _block(width: int, block_width: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm1d(width),
        nn.Linear(width, block_width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(block_width, width),
    )


class Shares(nn.Module):
    """Turns mean targets (batch, n_outputs) into outputs: shares of classes into log-probabilities, shares of rows with
    a label into log-odds. Values stay.

    Args:
        target_kind: "class", "labels" or "values".
        epsilon: added to shares before their logarithm.
    """

    def __init__(self, target_kind: str, epsilon: float = EPSILON):
        super().__init__()
        self.target_kind, self.epsilon = target_kind, epsilon

    def forward(self, mean: Tensor) -> Tensor:
        """Compute the outputs, of the same shape."""
        if self.target_kind == "values":
            return mean
        mean = mean.clamp(0, 1)  # from which a rounding may lead
        logarithm = torch.log(mean + self.epsilon)
        return logarithm if self.target_kind == "class" else logarithm - torch.log(1 - mean + self.epsilon)
