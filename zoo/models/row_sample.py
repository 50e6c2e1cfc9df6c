"""A random sample of the rows of a stream, for statistics that need the rows themselves, such as quantiles."""

import numpy as np
import torch
from torch import Tensor

MOST_ROWS = 200_000
MOST_VALUES = 2**26  # of wide tables, which have fewer rows then


class RowSample:
    """At most `most` random rows of a stream of batches, with at most `MOST_VALUES` values, in the stream's order: all
    of them where it has no more. The same stream gives the same rows, whatever its batches.

    Args:
        most: rows to keep.
    """

    def __init__(self, most: int = MOST_ROWS):
        self.most = most
        self._random = np.random.default_rng(0)
        self._parts: list[tuple[Tensor, ...]] = []  # each row's random key, and the row
        self._n = 0

    def update(self, *tensors: Tensor) -> None:
        """Add one batch: tensors of one length, each (batch, ...)."""
        self.most = max(min(self.most, MOST_VALUES // sum(one.shape[1:].numel() for one in tensors)), 1)
        self._parts.append((torch.from_numpy(self._random.random(len(tensors[0]))), *(one.cpu() for one in tensors)))
        self._n += len(tensors[0])
        if self._n >= 2 * self.most:
            self._merge()

    def rows(self) -> tuple[Tensor, ...]:
        """The rows so far: the tensors of `update`, each (n, ...). At least one batch was added."""
        self._merge()
        return self._parts[0][1:]

    def _merge(self) -> None:
        merged = [torch.cat(parts) for parts in zip(*self._parts, strict=True)]
        if len(merged[0]) > self.most:  # those with the lowest keys
            kept = merged[0].topk(self.most, largest=False).indices.sort().values
            merged = [part[kept] for part in merged]
        self._parts, self._n = [tuple(merged)], len(merged[0])
