"""Splits larger than memory: their inputs stay on disk until a batch is read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.data.hashing import combine_hashes, hash_rows
from zoo.data.memory_limits import is_large
from zoo.data.sources.cache import cached
from zoo.data.splits import READ_VALUES, Batch, TensorSplit

IN_MEMORY = 1 << 30  # bytes: largest data set that is read into memory


class RowSource(Protocol):
    """Array-like access to rows on disk: `source[index]` with index (k,) gives (k, ...)."""

    @property
    def n_bytes(self) -> float:
        """Memory that all rows would take."""
        ...

    def __getitem__(self, index: np.ndarray, /) -> np.ndarray: ...

    def row_hashes(self) -> np.ndarray:
        """Hashes (n,) of the contents of the rows."""
        ...


@dataclass(frozen=True)
class MappedRows:
    """An array in a file, read row by row.

    Attributes:
        file: holds the bytes of the array, without a header.
        dtype: of an element.
        shape: of the array, rows first.
    """

    file: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Size of the array."""
        return self.file.stat().st_size

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        return np.asarray(np.memmap(self.file, self.dtype, "r", shape=self.shape)[index])

    def row_hashes(self) -> np.ndarray:
        """Hashes (n,) of the rows, cached in a file beside the array."""
        return np.fromfile(cached(self.file.with_name(f"{self.file.name}.keys"), self._write_hashes), "<u8")

    def _write_hashes(self, path: Path) -> None:
        n = max(1, READ_VALUES // max(1, math.prod(self.shape[1:])))
        with open(path, "wb") as file:
            for start in range(0, self.shape[0], n):
                rows = self[np.arange(start, min(start + n, self.shape[0]))]
                file.write(hash_rows(rows).astype("<u8").tobytes())


class StoredSplit(Dataset[Batch]):
    """A split whose inputs stay on disk until a batch is read.

    Args:
        index: (k,) rows of the split.
        target: (k, ...) of these rows.
        columns: each input, with the rows of all splits.
    """

    def __init__(self, index: np.ndarray, target: Tensor, **columns: RowSource):
        self.index, self.target, self.columns = index, target, columns

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> Batch:
        return {name: column[0] for name, column in self.__getitems__([index]).items()}

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        """Return the samples of `index` as one batch."""
        index = torch.as_tensor(index)
        rows = self.index[index.numpy()]
        inputs = {name: torch.from_numpy(column[rows]) for name, column in self.columns.items()}
        return {**inputs, "target": self.target[index]}

    @property
    def input_hashes(self) -> np.ndarray:
        """Hashes (k,) of the samples' inputs."""
        return combine_hashes([self.columns[name].row_hashes()[self.index] for name in sorted(self.columns)])


def stored_split(index: np.ndarray, target: Tensor, **columns: RowSource) -> StoredSplit | TensorSplit:
    """Build a `StoredSplit`, or read it into memory, which is faster, if the whole data set fits there."""
    split = StoredSplit(index, target, **columns)
    n_bytes = sum(column.n_bytes for column in columns.values())
    if n_bytes > IN_MEMORY or is_large(n_bytes):
        return split
    whole = TensorSplit(**split.__getitems__(range(len(split))))
    whole.stored = split
    return whole
