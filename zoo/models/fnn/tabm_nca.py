"""TabM-NCA: an ensemble in one network that is shown what similar training rows were.

Learnt kernels over the training rows, as in H.-J. Ye et al., "Revisiting nearest neighbor for tabular data" (arXiv
2407.03257, section 4), before a TabM-mini of Y. Gorishniy et al. (arXiv 2410.24210, section 3.3), of this zoo's own
making. What it adds to both:
- a second kernel, in the space of the columns themselves, each with a learnt scale, for what differs from one place to
  the next (automatic relevance determination: C. Rasmussen, C. Williams, "Gaussian Processes for Machine Learning",
  2006, section 5.1);
- values are answered by a trend, a function of the row alone, and the kernel's mean of what the trend leaves over at
  the similar rows, as in kriging with a trend (G. Matheron, "Le krigeage universel", 1969);
- the kernels' answers are inputs of each member, and members themselves, the second one's in training only; where they
  are values, the members add to the first one's;
- on small tables a kernel ridge regression, fitted in closed form, answers beside them with as much weight as all;
- values of larger tables are corrected by what the network leaves over at rows that are near in the second kernel's
  space, each answered without itself; how much is chosen on the validation rows, which no weight was learnt from;
- the validation rows become candidates, and the regression is fitted to them too, once they have chosen all that.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.candidates import Candidates
from zoo.models.fnn._kernel_ridge import KernelRidge
from zoo.models.fnn._left_over import LeftOver
from zoo.models.fnn._members import MemberHeads, check_sizes, first_adapter
from zoo.models.fnn._retrieval import BLOCK_VALUES, Memory, Retrieval, Space, kernel_mean
from zoo.models.fnn.modern_nca import Shares
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import ACTIVATIONS, Dropout, concat_inputs
from zoo.models.row_sample import RowSample

SHARPNESS = 3.0  # first scale of the learnt space: some tens of rows count, not thousands
N_KERNELS = 2
SMALL = 2000  # training rows
MOST_LEFT_OUT = 30_000  # candidates that each is answered without: their number squared takes time
N_CHOOSING = 2000  # rows by which the correction is chosen
EPSILON = 1e-3  # added to the kernels' shares of classes, as no row is beyond doubt


class Members(nn.Module):
    """Multilayer perceptrons of rows with answers beside, which share their weights but for an adapter and a head.

    Args:
        adapter: a scale of each input for each perceptron, (n, d_in).
        depth, width: hidden layers, and neurons in each.
        n_outputs: outputs of a member.
        n_targets: entries of each answer.
        activation, dropout: see `TabMNCA`.
        adds: whether the perceptrons add to the first answer.

    Attributes:
        n_members: perceptrons, and the first answer itself where it has as many entries as an output.
    """

    def __init__(
        self,
        adapter: Tensor,
        *,
        depth: int,
        width: int,
        n_outputs: int,
        n_targets: int,
        activation: str,
        dropout: float,
        adds: bool,
    ):
        super().__init__()
        n, d_in = adapter.shape
        self.shape = N_KERNELS, n_targets
        d_answers = N_KERNELS * n_targets
        self.adapter, self.answers_adapter = nn.Parameter(adapter), nn.Parameter(torch.randn(n, d_answers).sign())
        self.first, self.first_of_answers = nn.Linear(d_in, width), nn.Linear(d_answers, width, bias=False)
        self.layers = nn.Sequential(ACTIVATIONS.get(activation)(), Dropout(dropout))
        for _ in range(depth - 1):
            self.layers.extend([nn.Linear(width, width), ACTIVATIONS.get(activation)(), Dropout(dropout)])
        self.head = MemberHeads(width, n_outputs, n_members=n)
        self.answer = n_outputs == n_targets  # else an output is a whole distribution
        self.adds = adds and self.answer
        self.n_members = n + self.answer

    def hidden(self, rows: Tensor) -> Tensor:
        """The last hidden layers, (batch, n, width), of rows (batch, d_in + N_KERNELS * n_targets or more)."""
        inputs, answers = self._parts(rows)
        return self.layers(self.first(inputs * self.adapter) + self.first_of_answers(answers * self.answers_adapter))

    def forward(self, rows: Tensor) -> Tensor:
        """The members' outputs, (batch, n_members, n_outputs); in training every answer is one."""
        outputs, answers = self.head(self.hidden(rows)), self._parts(rows)[1].unflatten(2, self.shape).squeeze(1)
        outputs = outputs + answers[:, :1] if self.adds else outputs
        counted = answers if self.training else answers[:, :1]
        return torch.cat([outputs, counted], dim=1) if self.answer else outputs

    def _parts(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs (batch, 1, d_in) and the answers (batch, 1, N_KERNELS * n_targets)."""
        d_in, d_answers = self.first.in_features, self.first_of_answers.in_features
        return rows[:, None, :d_in], rows[:, None, d_in : d_in + d_answers]


@MODELS.register("fnn/tabm_nca")
class TabMNCA(Retrieval):
    """Kernels over the training rows, then `n_members` multilayer perceptrons which share their weights.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        n_targets: classes, labels or values.
        target_kind: "class", "labels" or "values".
        depth: hidden layers of the members.
        width: neurons in each of them.
        n_members: multilayer perceptrons in one; the first kernel's own answer is a further member.
        activation: a name of `zoo.models.layers.ACTIVATIONS`, such as "relu".
        dropout: share of each hidden layer's outputs that is zeroed in training.
        kernel_width: neurons of the hidden layer that the learnt space and the trend are computed from.
        d_key: dimensions of the learnt space.
        n_searched: training rows that are drawn and searched for each training batch.
        max_candidates: training rows that are kept, in the weights file too; of more, so many are drawn once.
        ridge_rows: training rows of the largest table that has a kernel ridge regression; 0 for none.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`: "standard", "robust" or "quantile"; None
            is by the rows of the table, see `suited`.
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`; the first kernel and members share it.
        embedding_options: the embedding's own keywords, such as {"d_embedding": 16}.
        d_category: entries of the vector of a category in columns with more than 8; 0 one-hot encodes all.
    """

    learns_validation = True
    factors: ClassVar[Mapping[str, tuple[float, float]]] = {"column_scales": (10.0, 0.0)}

    def __init__(
        self,
        *,
        n_numeric: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        n_targets: int,
        target_kind: str,
        depth: int = 2,
        width: int = 128,
        n_members: int = 16,
        activation: str = "relu",
        dropout: float = 0.25,
        kernel_width: int = 64,
        d_key: int = 24,
        n_searched: int = 2000,
        max_candidates: int = 100_000,
        ridge_rows: int = SMALL,
        scaling: str | None = None,
        embedding: str = "piecewise_linear",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 8,
    ):
        check_sizes(
            depth=depth, width=width, n_members=n_members, kernel_width=kernel_width, d_key=d_key, n_searched=n_searched
        )
        if ridge_rows < 0:
            raise ValueError(f"ridge_rows is at least 0; got {ridge_rows}")
        super().__init__(
            TableInput(n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category),
            Candidates(n_numeric, cardinalities, n_targets=n_targets, target_kind=target_kind, most=max_candidates),
        )
        self.scaling = self.suited(0)["scaling"] if scaling is None else scaling
        self.n_searched = n_searched
        self.n_embedded = sum(self.table.widths[:n_numeric])
        d_columns = n_numeric + self.table.width - self.n_embedded
        self.n_trends = n_targets if target_kind == "values" else 0
        self.parts = [d_key, d_columns, self.n_trends, self.table.width]  # of an encoded row
        self.hidden = nn.Sequential(
            nn.Linear(self.table.width, kernel_width), ACTIVATIONS.get(activation)(), Dropout(dropout)
        )
        self.kernel = nn.Linear(kernel_width + self.table.width, d_key)
        self.target_value = nn.Linear(kernel_width + self.table.width, self.n_trends) if self.n_trends else None
        self.scale = nn.Parameter(torch.tensor(SHARPNESS))
        self.column_scales = nn.Parameter(torch.ones(d_columns))  # logarithms
        self.shares = Shares(target_kind, EPSILON)
        self.head: Members = Members(
            first_adapter(n_members, self.table),
            depth=depth,
            width=width,
            n_outputs=n_outputs,
            n_targets=n_targets,
            activation=activation,
            dropout=dropout,
            adds=target_kind == "values",
        )
        self.n_members, self.ridge_rows = self.head.n_members, ridge_rows
        self.fitted = KernelRidge(cardinalities, n_outputs)
        self.fitted_left_over = LeftOver(n_outputs)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Keep the training rows, and fit the embedding of numbers and the kernel ridge regression to those."""
        super().fit(inputs)
        self._fit_ridge()

    @torch.no_grad()
    def correct(self, inputs: Iterable[Mapping[str, Tensor]]) -> float:
        """Fit the correction by what is left over; see `Network.correct`."""
        if not self.head.adds or self.fitted.is_fitted or len(self.candidates) > MOST_LEFT_OUT:
            return 0.0
        left_out, sample = self._left_out(), RowSample(N_CHOOSING)
        for batch in inputs:
            sample.update(*(batch[name] for name in self.candidates.columns))
        rows = dict(zip(self.candidates.columns, sample.rows(), strict=True))
        wanted = rows.pop("target").reshape(-1, left_out.shape[1])
        known = ~wanted.isnan().any(1)
        rows = {name: column[known] for name, column in rows.items()}
        unseen = wanted[known] - self(**rows).mean(1)
        places = self.keys(self.encode(self.read(**rows)))[-1]
        return self.fitted_left_over.fit(left_out, self._remembered().spaces[-1].distances(places), unseen)

    def refit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Keep other training rows, and compute the kernel ridge regression, or what is left over, of those."""
        super().refit(inputs)
        self._fit_ridge()
        if self.fitted_left_over.is_fitted:
            self.fitted_left_over.residuals = self._left_out()

    def train(self, mode: bool = True) -> "TabMNCA":
        """Switch between training and evaluation; a training changes what is left over."""
        if mode:
            self.fitted_left_over.clear()
        super().train(mode)
        return self

    @classmethod
    def suited(cls, n_targets: int) -> dict[str, Any]:
        """Robust scaling of small tables, whose kernel ridge regression it suits, and quantiles of others."""
        return {"scaling": "robust" if n_targets <= SMALL else "quantile"}

    def _fit_ridge(self) -> None:
        if len(self.candidates) <= self.ridge_rows:
            self.fitted.fit(**{name: getattr(self.candidates, name) for name in self.candidates.columns})

    @torch.no_grad()
    def _left_out(self) -> Tensor:
        """What is left over, (n, n_outputs), where each candidate is answered without itself."""
        self.eval()
        self.fitted_left_over.clear()
        memory, number = self._remembered(), torch.arange(len(self.candidates), device=self.candidates.target.device)
        apart = Memory([Space(space.keys, number) for space in memory.spaces], memory.values)
        size, answers = max(BLOCK_VALUES // len(number), 1), []
        for rows, row in zip(self.candidates.blocks(size), number.split(size), strict=True):
            hidden = self.encode(self._values(rows))
            answers.append(self.head(self.search(hidden, apart, row)).mean(1))
        return self.candidates.target - torch.cat(answers)

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Compute the members' outputs (batch, n_members, n_outputs); in evaluation of a small table the regression's
        too, which counts as often as there are members, (batch, 2 n_members, n_outputs)."""
        found = self.found(*args, **inputs)
        outputs = self.head(found)
        if self.training:
            return outputs
        if self.fitted_left_over.is_fitted:
            outputs = outputs + found[:, None, -outputs.shape[2] :]
        if not self.fitted.is_fitted:
            return outputs
        beside = self.fitted(*args, **inputs).to(outputs.dtype)
        return torch.cat([outputs, beside[:, None].expand_as(outputs)], 1)

    @property
    def share(self) -> float:  # type: ignore[override]
        """Share of the candidates that are searched for a training batch."""
        return min(self.n_searched / len(self.candidates), 1.0)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The members' last hidden layers, (batch, n_members, width), for inputs (batch, n_numeric) and (batch,
        n_categorical)."""
        hidden: Tensor = self.head.hidden(self.found(numeric, categorical))
        return hidden

    def found(
        self, numeric: Tensor | None = None, categorical: Tensor | None = None, row: Tensor | None = None
    ) -> Tensor:
        """What `search` gives, in float32: rows that are near each other are the same in bfloat16."""
        with torch.autocast(self.scale.device.type, enabled=False):
            return super().found(numeric, categorical, row)

    def read(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Embedded rows, and the numbers themselves beside, (n, table.width + n_numeric)."""
        return concat_inputs(self.table(numeric, categorical), numeric)

    def encode(self, values: Tensor) -> Tensor:
        """Encode rows (n, table.width + n_numeric), as (n, d_key + d_columns + n_trends + table.width)."""
        values, numbers = values.tensor_split([self.table.width], dim=1)
        both = torch.cat([self.hidden(values), values], dim=1)
        trend = [] if self.target_value is None else [self.target_value(both)]
        columns = torch.cat([numbers, values[:, self.n_embedded :]], dim=1) * self.column_scales.exp()
        return torch.cat([self.kernel(both) * self.scale, columns, *trend, values], dim=1)

    def keys(self, hidden: Tensor) -> Sequence[Tensor]:
        """Places in the spaces of both kernels, (n, d_key) and (n, d_columns)."""
        return hidden.split(self.parts, dim=1)[:N_KERNELS]

    def value(self, hidden: Tensor, target: Tensor) -> Tensor:
        """Classes and labels as they are, and what the trend leaves over of values, (n, n_targets)."""
        *_, trend, _ = hidden.split(self.parts, dim=1)
        return target - trend if self.n_trends else target

    def search(self, hidden: Tensor, memory: Memory, row: Tensor | None) -> Tensor:
        """The row and the kernels' answers, (batch, table.width + N_KERNELS * n_targets), and in evaluation what is
        left over near it, if that is known, (batch, n_outputs)."""
        *queries, trend, values = hidden.split(self.parts, dim=1)
        answers = []
        for query, space in zip(queries, memory.spaces, strict=True):
            distances = space.distances(query, row)
            found = kernel_mean(distances, memory.counted)  # (batch, n_targets)
            answers.append(found + trend if self.n_trends else self.shares(found))
        if self.fitted_left_over.is_fitted and not self.training:
            answers.append(self.fitted_left_over(distances))
        return torch.cat([values, *answers], dim=1)
