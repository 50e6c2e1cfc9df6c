"""The input of feedforward networks: the numbers and categories of a table as one vector."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.models.fnn.embeddings import Plain, create_embedding
from zoo.models.layers import OneHot, concat_inputs
from zoo.models.row_sample import RowSample

MAX_ONE_HOT = 8  # categories of a column


class TableInput(nn.Module):
    """Embedded numbers, then one-hot and embedded categories.

    Args:
        n_numeric: numbers in a row.
        cardinalities: number of values of each categorical column.
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`, such as "piecewise_linear".
        options: the embedding's own keywords; those left out keep their defaults.
        d_category: entries of the vector of a category in a column with more than 8, as in RealMLP (D. Holzmüller et
            al., arXiv 2407.04491, section 3.1); 0 one-hot encodes all columns.

    Attributes:
        widths: entries of each column's part of the vector, in order; `width` is their sum.
        numeric: the embedding, which gives an axis for each column: (batch, n_numeric, d_embedding).
    """

    def __init__(
        self,
        n_numeric: int,
        cardinalities: Sequence[int],
        *,
        embedding: str = "none",
        options: Mapping[str, Any] | None = None,
        d_category: int = 0,
    ):
        super().__init__()
        self.numeric = create_embedding(embedding, n_numeric, options) if n_numeric else Plain(0)
        self.categorical = Categories(cardinalities, d_category)
        self.widths = [self.numeric.d_embedding] * n_numeric + self.categorical.widths
        self.width = sum(self.widths)

    def forward(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Encode (batch, n_numeric) and (batch, n_categorical), of which one may be absent, as (batch, width)."""
        embedded = None if numeric is None else self.numeric(numeric).flatten(1)
        return concat_inputs(embedded, None if categorical is None else self.categorical(categorical))

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the embedding of numbers; see `zoo.models.layers.Network.fit`."""
        if not self.numeric.reads_rows:
            return
        sample = RowSample()
        for batch in inputs:
            sample.update(batch["numeric"], batch["target"])
        self.numeric.fit(*sample.rows())


class Categories(nn.Module):
    """Columns of few categories one-hot, then the others embedded; a category that training has not seen is all zeros
    in both.

    Args:
        cardinalities: number of values of each column.
        d_category: entries of an embedded category; 0 embeds none.
    """

    few: Tensor
    many: Tensor
    starts: Tensor

    def __init__(self, cardinalities: Sequence[int], d_category: int = 0):
        super().__init__()
        if d_category < 0:
            raise ValueError(f"d_category is at least 0; got {d_category}")
        many = [index for index, n in enumerate(cardinalities) if d_category and n > MAX_ONE_HOT + 1]
        few = [index for index in range(len(cardinalities)) if index not in many]
        self.one_hot = OneHot([cardinalities[index] for index in few])
        self.widths = [cardinalities[index] - 1 for index in few] + [d_category] * len(many)
        self.embedding: nn.Embedding | None = None
        if many:
            sizes = torch.tensor([cardinalities[index] for index in many])
            starts = sizes.cumsum(0) - sizes
            self.embedding = nn.Embedding(int(sizes.sum()), d_category)
            with torch.no_grad():
                self.embedding.weight[starts] = 0.0
            for name, buffer in {"few": torch.tensor(few, dtype=torch.int64), "many": torch.tensor(many)}.items():
                self.register_buffer(name, buffer, persistent=False)
            self.register_buffer("starts", starts, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Encode codes (batch, n_columns) as (batch, width)."""
        if self.embedding is None:
            return self.one_hot(codes)
        embedded = self.embedding(codes.index_select(-1, self.many) + self.starts)  # (batch, n_many, d_category)
        return torch.cat([self.one_hot(codes.index_select(-1, self.few)), embedded.flatten(-2)], dim=-1)
