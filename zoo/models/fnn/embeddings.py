"""Embeddings of numerical columns: each number becomes a vector, so that a network can treat its ranges differently.

Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular deep learning", arXiv
2203.05556, as in its package rtdl_num_embeddings. All columns are computed at once, without a loop over them.
"""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.errors import unknown_name
from zoo.core.registry import Registry

EMBEDDINGS: "Registry[type[Embedding]]" = Registry("embedding", "EMBEDDINGS")

NARROWEST = 1e-6  # bin: float32 tells no values apart in a narrower one
UNBOUNDED = torch.finfo(torch.float32).max
TREE = {"min_samples_leaf": 64, "min_impurity_decrease": 1e-4, "random_state": 0}  # as the package suggests


class Embedding(nn.Module):
    """Base of all embeddings: numbers (batch, n_columns) to vectors (batch, n_columns, d_embedding).

    A subclass takes `n_columns` and keywords with defaults, sets `d_embedding` and defines `forward`.
    """

    d_embedding: int
    reads_rows = False  # whether `fit` computes something

    def fit(self, numeric: Tensor, target: Tensor) -> None:
        """Compute what depends on the training rows, before the first step.

        Args:
            numeric: scaled numbers (n, n_columns), of at most `zoo.models.row_sample.MOST_ROWS` rows.
            target: as the loss sees it: classes int64 (n,), or values (n, ...), NaN where missing.
        """


def create_embedding(name: str, n_columns: int, options: Mapping[str, Any] | None = None) -> Embedding:
    """Create the embedding called `name`, with its own keywords. UserError for an unknown name or keyword."""
    kind = EMBEDDINGS.get(name)
    choices = list(inspect.signature(kind).parameters)[1:]
    for key in options or {}:
        if key not in choices:
            raise unknown_name(f"keyword of embedding {name}", key, choices)
    return kind(n_columns, **(options or {}))


@EMBEDDINGS.register("none")
class Plain(Embedding):
    """Each number as it is, (batch, n_columns, 1)."""

    d_embedding = 1

    def __init__(self, n_columns: int):
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Add an axis to (batch, n_columns)."""
        return x[..., None]


class ColumnLinear(nn.Module):
    """A linear layer for each column: (batch, n_columns, d_in) to (batch, n_columns, d_out)."""

    def __init__(self, n_columns: int, d_in: int, d_out: int, *, bias: bool = True):
        super().__init__()
        self.out_features = n_columns * d_out
        self.weight = _uniform(d_in, n_columns, d_in, d_out)
        self.bias = _uniform(d_in, n_columns, d_out) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Transform the columns, in one batched product."""
        output = (x.transpose(0, 1) @ self.weight).transpose(0, 1)  # (batch, n_columns, d_out)
        return output if self.bias is None else output + self.bias


def _uniform(d_in: int, *shape: int) -> nn.Parameter:
    """Initialised as in `nn.Linear` of `d_in` inputs."""
    return nn.Parameter(torch.empty(shape).uniform_(-(d_in**-0.5), d_in**-0.5))


@EMBEDDINGS.register("piecewise_linear")
class PiecewiseLinear(Embedding):
    """A linear function, and a piecewise linear one with a slope for each bin, which starts at 0 (section 3.2; version
    B of the package, from Y. Gorishniy et al., "TabM", arXiv 2410.24210). Bins hold equally many training rows, where a
    value that many rows have, such as 0, counts as often as a bin has rows.

    Number x in bins with edges b_0 < ... < b_T is encoded as (x - b_t-1) / (b_t - b_t-1) for t = 1 to T, cut off below
    0 (except for t = 1) and above 1 (except for t = T), and a linear layer for each column follows. A column with fewer
    bins has zeros before its last entry.
    Deviation: bins narrower than 1e-6 are merged.

    Args:
        n_columns: numbers in a row.
        d_embedding: entries of a column's vector.
        n_bins: of a column, at most.
    """

    reads_rows = True
    slope: Tensor
    offset: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, n_columns: int, *, d_embedding: int = 12, n_bins: int = 48):
        super().__init__()
        if d_embedding < 1 or n_bins < 2:
            raise ValueError(f"d_embedding is at least 1, n_bins at least 2; got {d_embedding} and {n_bins}")
        self.d_embedding, self.n_bins = d_embedding, n_bins
        self.linear_weight = _uniform(d_embedding, n_columns, d_embedding)
        self.linear_bias = _uniform(d_embedding, n_columns, d_embedding)
        self.bins = ColumnLinear(n_columns, n_bins, d_embedding, bias=False)
        nn.init.zeros_(self.bins.weight)
        for name in ("slope", "offset", "lowest", "highest"):  # of the encoding's entries
            self.register_buffer(name, torch.zeros(n_columns, n_bins))

    def fit(self, numeric: Tensor, target: Tensor) -> None:
        """Compute the bins from training rows (n, n_columns)."""
        for column, x in enumerate(numeric.T):
            edges = self.edges(x, target).unique()
            self._set(column, edges[torch.cat([torch.tensor([True]), edges.diff() > NARROWEST])])

    def edges(self, x: Tensor, target: Tensor) -> Tensor:
        """Choose the edges of a column's bins, at most (n_bins + 1,), from its numbers (n,) and the target (n, ...)."""
        values, counts = x.unique(return_counts=True)
        counted = values.repeat_interleave(counts.clamp(max=math.ceil(len(x) / self.n_bins)))
        return torch.quantile(counted, torch.linspace(0, 1, self.n_bins + 1))

    def _set(self, column: int, edges: Tensor) -> None:
        """Set a column's bins; all entries of a column with one value stay 0."""
        n, width = len(edges) - 1, edges.diff()
        if n == 0:
            return
        places = [*range(n - 1), -1]  # the last bin is the last entry
        self.slope[column, places] = 1 / width
        self.offset[column, places] = -edges[:-1] / width
        self.highest[column, :-1], self.highest[column, -1] = 1.0, UNBOUNDED
        self.lowest[column, places[0]] = -UNBOUNDED

    def encode(self, x: Tensor) -> Tensor:
        """Encode numbers (batch, n_columns) as (batch, n_columns, n_bins)."""
        return torch.addcmul(self.offset, self.slope, x[..., None]).clamp_(self.lowest, self.highest)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, n_columns) as (batch, n_columns, d_embedding)."""
        return torch.addcmul(self.linear_bias, self.linear_weight, x[..., None]) + self.bins(self.encode(x))


@EMBEDDINGS.register("piecewise_linear_tree")
class PiecewiseLinearTree(PiecewiseLinear):
    """`PiecewiseLinear` with bins that tell targets apart: the splits of a decision tree on the column alone (section
    3.2.2)."""

    def edges(self, x: Tensor, target: Tensor) -> Tensor:
        """The column's range, and the splits of a decision tree of at most `n_bins` leaves."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        target = target.flatten(1) if target.is_floating_point() else target
        kind = DecisionTreeRegressor if target.is_floating_point() else DecisionTreeClassifier
        known = ~target.isnan().any(1) if target.is_floating_point() else torch.ones(len(x), dtype=torch.bool)
        ends = torch.stack([x.min(), x.max()])
        if not known.any():
            return ends
        tree = kind(max_leaf_nodes=self.n_bins, **TREE).fit(x[known, None].numpy(), target[known].numpy()).tree_
        splits = tree.threshold[tree.children_left != tree.children_right]
        return torch.cat([ends, torch.from_numpy(splits).to(x.dtype)])


@EMBEDDINGS.register("plr")
class Periodic(Embedding):
    """Cosines and sines of learnt frequencies, a linear layer and ReLU (section 3.3, "PLR").

    Args:
        n_columns: numbers in a row.
        d_embedding: entries of a column's vector.
        n_frequencies: of a column.
        frequency_std: standard deviation of the first frequencies, which decides how fine differences are at first:
            from 0.01 to 10, and worth a search.
    """

    def __init__(self, n_columns: int, *, d_embedding: int = 24, n_frequencies: int = 48, frequency_std: float = 0.01):
        super().__init__()
        _check_periodic(d_embedding, n_frequencies, frequency_std)
        self.d_embedding = d_embedding
        self.frequency = nn.Parameter(torch.empty(n_columns, n_frequencies))
        nn.init.trunc_normal_(self.frequency, 0.0, frequency_std, -3 * frequency_std, 3 * frequency_std)
        self.linear = self.outer(n_columns, 2 * n_frequencies, d_embedding)

    def outer(self, n_columns: int, d_in: int, d_out: int) -> nn.Module:
        """The layer from waves to vectors."""
        return ColumnLinear(n_columns, d_in, d_out)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, n_columns) as (batch, n_columns, d_embedding)."""
        angle = 2 * math.pi * self.frequency * x[..., None]  # (batch, n_columns, n_frequencies)
        return self.linear(torch.cat([angle.cos(), angle.sin()], dim=-1)).relu()


def _check_periodic(d_embedding: int, n_frequencies: int, frequency_std: float) -> None:
    if d_embedding < 1 or n_frequencies < 1 or frequency_std <= 0:
        raise ValueError(
            "d_embedding and n_frequencies are at least 1, frequency_std is above 0; "
            f"got {d_embedding}, {n_frequencies} and {frequency_std}"
        )


@EMBEDDINGS.register("plr_lite")
class PeriodicLite(Periodic):
    """`Periodic` with one linear layer for all columns (Y. Gorishniy et al., "TabR", arXiv 2307.14338)."""

    def outer(self, n_columns: int, d_in: int, d_out: int) -> nn.Module:
        """The layer from waves to vectors, of all columns."""
        return nn.Linear(d_in, d_out)


@EMBEDDINGS.register("pbld")
class PeriodicBias(Embedding):
    """Cosines of learnt frequencies and phases, a linear layer, and the number itself as the last entry (D. Holzmüller
    et al., "Better by default", RealMLP, arXiv 2407.04491, "PBLD").

    Args:
        n_columns: numbers in a row.
        d_embedding: entries of a column's vector, with the number itself.
        n_frequencies: of a column.
        frequency_std: standard deviation of the first frequencies.
    """

    def __init__(self, n_columns: int, *, d_embedding: int = 4, n_frequencies: int = 16, frequency_std: float = 0.1):
        super().__init__()
        _check_periodic(d_embedding - 1, n_frequencies, frequency_std)
        self.d_embedding = d_embedding
        self.frequency = nn.Parameter(frequency_std * torch.randn(n_columns, n_frequencies))
        self.phase = nn.Parameter(torch.empty(n_columns, n_frequencies).uniform_(-math.pi, math.pi))
        self.linear = ColumnLinear(n_columns, n_frequencies, d_embedding - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, n_columns) as (batch, n_columns, d_embedding)."""
        waves = torch.addcmul(self.phase, 2 * math.pi * self.frequency, x[..., None]).cos()
        return torch.cat([self.linear(waves), x[..., None]], dim=-1)
