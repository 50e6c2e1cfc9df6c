"""Training rows that a network keeps, and searches for those that are like a new one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.models.row_sample import RowSample

DRAWN = 64  # rows that a draw gives at least, as fewer would leave out whole classes
CANDIDATES = "network.candidates."  # how the names of these tensors start in a model's state


class Candidates(nn.Module):
    """Rows as buffers, so that they are saved with the weights: their inputs, as the network is given them, and
    `target`, as the loss sees it. A state that is loaded may have any number of rows.

    Args:
        n_numeric: numbers in a row.
        cardinalities: number of values of each categorical column.
        n_targets: classes, labels or values.
        target_kind: "class", "labels" or "values", see `DataSpec.sizes`.
        most: rows that are kept of larger data, drawn at random.

    Attributes:
        row: each candidate's number in the training split, (n,); -1 in a model that is not in training.
    """

    target: Tensor
    row: Tensor

    def __init__(
        self, n_numeric: int, cardinalities: Sequence[int], *, n_targets: int, target_kind: str, most: int
    ) -> None:
        super().__init__()
        if most < 2:
            raise ValueError(f"max_candidates is at least 2; got {most}")
        self.n_targets, self.cardinalities, self.most = n_targets, list(cardinalities), most
        self.inputs: list[str] = []
        if n_numeric:
            self._add("numeric", torch.zeros(1, n_numeric))  # one row of zeros until `fit`
        if cardinalities:
            self._add("categorical", torch.zeros(1, len(cardinalities), dtype=torch.int64))
        one = torch.zeros(1, dtype=torch.int64) if target_kind == "class" else torch.zeros(1, n_targets)
        self.register_buffer("target", one)
        self.register_buffer("row", torch.full((1,), -1), persistent=False)
        self.register_load_state_dict_pre_hook(_take_size)

    def _add(self, name: str, rows: Tensor) -> None:
        self.register_buffer(name, rows)
        self.inputs.append(name)

    def __len__(self) -> int:
        return len(self.target)

    def fit(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Keep the rows of batches in the training split's order, or `most` of them, which depend on nothing else. A
        missing value of a target becomes 0, the mean."""
        sample, n = RowSample(self.most), 0
        for batch in batches:
            rows = torch.arange(n, n + len(batch["target"]))
            sample.update(*(batch[name] for name in self.columns), rows)
            n += len(rows)
        *columns, self.row = sample.rows()
        for name, column in zip(self.columns, columns, strict=True):
            setattr(self, name, column.contiguous())
        if self.target.is_floating_point():
            self.target = self.target.nan_to_num().reshape(len(self), -1)
        if n > len(self):
            echo(f"{len(self):,} of {n:,} training rows, drawn at random, are candidates; model.max_candidates sets it")

    @property
    def columns(self) -> list[str]:
        """The names of the inputs, and `target`."""
        return [*self.inputs, "target"]

    def draw(self, share: float) -> dict[str, Tensor]:
        """Draw a share of the rows at random: inputs, `target` and `row` by name."""
        n = self.n_drawn(share)
        names = [*self.columns, "row"]
        if n == len(self):
            return {name: getattr(self, name) for name in names}
        index = torch.rand(len(self), device=self.target.device).topk(n, sorted=False).indices
        return {name: getattr(self, name)[index] for name in names}

    def n_drawn(self, share: float) -> int:
        """Rows that `draw` gives."""
        return min(max(round(share * len(self)), DRAWN), len(self))

    def blocks(self, size: int) -> Iterable[dict[str, Tensor]]:
        """All rows, `size` at a time: inputs and `target` by name."""
        for start in range(0, len(self), size):
            yield {name: getattr(self, name)[start : start + size] for name in self.columns}

    def vectors(self, target: Tensor) -> Tensor:
        """Targets as vectors (n, n_targets); a class is one-hot."""
        return target if target.is_floating_point() else F.one_hot(target, self.n_targets).float()


def _take_size(candidates: Candidates, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
    """Make room for the rows of a state before it is loaded."""
    own = {name: getattr(candidates, name) for name in candidates.columns}
    given = {name: state[prefix + name].to(rows.dtype) for name, rows in own.items() if prefix + name in state}
    if given.keys() != own.keys():
        return  # `load_state_dict` says what is missing
    n = len(given["target"])
    if any(len(rows) != n for rows in given.values()):
        raise UserError("candidates have as many targets as inputs; these have not")
    _check_codes(candidates, given)
    if n != len(candidates):
        for name, rows in own.items():
            setattr(candidates, name, rows.new_empty(n, *rows.shape[1:]))
        candidates.row = candidates.row.new_full((n,), -1)


def _check_codes(candidates: Candidates, rows: Mapping[str, Tensor]) -> None:
    """Raise UserError for a class or category that the model has no place for."""
    sizes = {"categorical": torch.tensor(candidates.cardinalities), "target": torch.tensor(candidates.n_targets)}
    for name, codes in rows.items():
        if not codes.is_floating_point() and ((codes < 0) | (codes >= sizes[name].to(codes.device))).any():
            raise UserError(f"candidates have codes from 0 to below {sizes[name].tolist()} as {name}; others are here")
