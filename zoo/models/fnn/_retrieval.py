"""Base of the networks that answer for a row by training rows that are like it, in a space that they learn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.models.candidates import Candidates
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import Network

BLOCK_ROWS = 8192  # candidates that are encoded at once, in evaluation
BLOCK_VALUES = 2**20  # distances that are computed at once, in evaluation: those of more leave the cache
HIDDEN = 1e30  # squared distance of a row to itself, while it is trained on: its weight is 0
NEAREST = 1e-6  # the least squared distance: below, float32 and the slope of a root say nothing
FARTHEST = 60.0  # exponent of the least weight, negated


def check_share(share: float) -> float:
    """Return a share of the candidates; ValueError unless it is one."""
    if not 0 < share <= 1:
        raise ValueError(f"share is above 0 and at most 1; got {share}")
    return share


class Space:
    """Candidates in a space that is searched.

    Args:
        keys: where they are, (n, d).
        rows: their numbers in the training split, (n,); None in evaluation.
    """

    def __init__(self, keys: Tensor, rows: Tensor | None = None):
        self.keys, self.rows = keys.float(), rows
        norms = self.keys.square().sum(1, keepdim=True)
        self.factors = torch.cat([-2 * self.keys, norms, torch.ones_like(norms)], dim=1)

    def squared_distances(self, queries: Tensor, row: Tensor | None = None) -> Tensor:
        """Squared distances (batch, n) of queries (batch, d), in float32. A row of the training split, with its number
        in `row` (batch,), is as far from itself as can be."""
        with torch.autocast(queries.device.type, enabled=False):
            queries = queries.float()
            norms = queries.square().sum(1, keepdim=True)
            squares = torch.cat([queries, torch.ones_like(norms), norms], dim=1) @ self.factors.T  # in one product
        with torch.no_grad():  # in place, and without the gradient of a limit, which would take as long as the product
            squares.clamp_(min=NEAREST)
            if row is not None and self.rows is not None:
                squares.masked_fill_(row[:, None] == self.rows, HIDDEN)
        return squares

    def distances(self, queries: Tensor, row: Tensor | None = None) -> Tensor:
        """The roots of `squared_distances`."""
        return self.squared_distances(queries, row).sqrt_()


class Memory:
    """Encoded candidates.

    Args:
        spaces: where they are in each space that is searched.
        values: what each says, (n, d_value): its target as a vector, or what `Retrieval.value` makes of it.

    Attributes:
        counted: see `counted`.
    """

    def __init__(self, spaces: Sequence[Space], values: Tensor):
        self.spaces, self.values, self.counted = spaces, values, counted(values)


class Prepared:
    """What is computed from a buffer once, and again where that is another: fitted anew, loaded or on another device;
    or where it is forgotten.
    """

    def __init__(self) -> None:
        self._buffer: Tensor | None = None
        self._result: Any = None

    def of(self, buffer: Tensor, compute: Callable[[Tensor], Any]) -> Any:
        """What is computed from a buffer."""
        if self._buffer is not buffer:
            with torch.inference_mode(False), torch.no_grad():  # as gradients of inputs may be asked for later
                self._buffer, self._result = buffer, compute(buffer)
        return self._result

    def forget(self) -> None:
        """Compute again the next time."""
        self._buffer = self._result = None


def counted(values: Tensor) -> Tensor:
    """Values (n, d_value) with a column of ones, (n, d_value + 1), whose weighted sum is that of the weights."""
    return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)


def kernel_mean(distances: Tensor, values: Tensor) -> Tensor:
    """The mean (batch, d_value) of candidates' `counted` values (n, d_value + 1) at distances (batch, n), weighted by a
    softmax over negative distances, in float32."""
    sums, total = weighted_sums(distances.detach().amin(1, keepdim=True) - distances, values)
    return sums / total


def weighted_sums(exponents: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The sums (batch, d_value) of candidates' `counted` values (n, d_value + 1) with the weights exp(exponents), and
    those of the weights (batch, 1), in float32; `exponents` (batch, n), at most 0, are overwritten.

    The farthest have a weight of 1e-26, which changes no sum: with the still smaller numbers that float32 has no full
    precision for, processors take several times as long.
    """
    with torch.no_grad():
        exponents.clamp_(min=-FARTHEST)
    with torch.autocast(exponents.device.type, enabled=False):
        sums = exponents.exp_() @ values
    return sums[:, :-1], sums[:, -1:]


class Retrieval(Network):
    """Base of retrieval networks. A subclass defines `encode` and `search`.

    In training a row never finds itself, and a share of the candidates is drawn anew for each batch. In evaluation all
    are searched; their encodings are computed once, and again after `eval()`, a new state or a new device.

    Args:
        table: encodes rows as vectors.
        candidates: the training rows.
    """

    candidates: Candidates

    def __init__(self, table: TableInput, candidates: Candidates):
        super().__init__()
        self.table, self.candidates = table, candidates
        self._memory = Prepared()
        self.register_load_state_dict_pre_hook(lambda network, *_: network._memory.forget())

    def read(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Rows of inputs (n, n_numeric) and (n, n_categorical) as vectors (n, d_in)."""
        return self.table(numeric, categorical)

    def encode(self, values: Tensor) -> Tensor:
        """Encode rows (n, d_in), as (n, d_hidden)."""
        raise NotImplementedError

    def keys(self, hidden: Tensor) -> Sequence[Tensor]:
        """The places (n, d) of encoded rows (n, d_hidden) in each space that is searched."""
        return [hidden]

    def value(self, hidden: Tensor, target: Tensor) -> Tensor:
        """What encoded candidates (n, d_hidden) with targets (n, n_targets) say, (n, d_value)."""
        return target

    def train(self, mode: bool = True) -> "Retrieval":
        """Switch between training and evaluation, and forget the candidates' encodings."""
        self._memory.forget()
        return super().train(mode)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Keep the training rows, and fit the embedding of numbers to those."""
        self.candidates.fit(inputs)
        self.table.fit([{name: getattr(self.candidates, name) for name in self.candidates.columns}])

    def search(self, hidden: Tensor, memory: Memory, row: Tensor | None) -> Tensor:
        """What candidates say of encoded rows (batch, d_hidden), as (batch, ...); `row` (batch,) are the rows' numbers
        in the training split, in training."""
        raise NotImplementedError

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Compute logits or standardised values, (batch, n_outputs); in training the inputs have `row` (batch,) too,
        the rows' numbers in the training split."""
        return self.head(self.found(*args, **inputs))

    def found(
        self, numeric: Tensor | None = None, categorical: Tensor | None = None, row: Tensor | None = None
    ) -> Tensor:
        """`search` for rows of inputs, in evaluation for so many at once that memory is bounded."""
        hidden, memory = self._encode_both(self.read(numeric, categorical))
        if self.training:
            return self.search(hidden, memory, row)
        n = max(BLOCK_VALUES // len(self.candidates), 1)
        return torch.cat([self.search(part, memory, None) for part in hidden.split(n)])

    def _encode_both(self, values: Tensor) -> tuple[Tensor, Memory]:
        """Encode a batch (batch, d_in) as (batch, d_hidden), and candidates; in training both together."""
        if not self.training:
            return self.encode(values), self._remembered()
        drawn = self.candidates.draw(self.share)
        hidden, found = self.encode(torch.cat([values, self._values(drawn)])).tensor_split([len(values)])
        spaces = [Space(keys, drawn["row"]) for keys in self.keys(found)]
        return hidden, Memory(spaces, self._value_of(found, drawn["target"]))

    def _values(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Rows of the candidates as vectors, (n, d_in)."""
        return self.read(**{name: rows[name] for name in self.candidates.inputs})

    def _remembered(self) -> Memory:
        """All candidates, encoded."""
        memory: Memory = self._memory.of(self.candidates.target, lambda _: self._memory_of_all())
        return memory

    def _memory_of_all(self) -> Memory:
        """All candidates, encoded block by block."""
        keys, values = [], []
        for block in self.candidates.blocks(BLOCK_ROWS):
            hidden = self.encode(self._values(block))
            keys.append(self.keys(hidden))
            values.append(self._value_of(hidden, block["target"]))
        return Memory([Space(torch.cat(of_space)) for of_space in zip(*keys, strict=True)], torch.cat(values))

    def _value_of(self, hidden: Tensor, target: Tensor) -> Tensor:
        """What encoded candidates (n, d_hidden) with targets as the loss sees them say, (n, d_value)."""
        return self.value(hidden, self.candidates.vectors(target))
