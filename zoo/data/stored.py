"""Data that stay on disk until a batch asks for them: sets larger than memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.core.errors import UserError
from zoo.core.system import free_memory
from zoo.data.sources.cache import cached
from zoo.data.splits import AT_ONCE, Batch, TensorSplit, joined_keys, row_keys

IN_MEMORY = 1 << 30  # bytes of a stored set that are kept in memory, at most
SHARE = 4  # a set that takes more than one part in so many of the free memory is large


class Rows(Protocol):
    """What gives rows as an array does: an index (k,) in, (k, ...) out; and says what all of them take in memory."""

    @property
    def n_bytes(self) -> float: ...

    def __getitem__(self, index: np.ndarray, /) -> np.ndarray: ...

    def keys(self) -> np.ndarray:
        """A key (n,) of the contents of each row."""
        ...


@dataclass(frozen=True)
class MappedRows:
    """An array in a file, whose rows are read when they are asked for.

    Attributes:
        file: holds the array, and nothing else.
        dtype: of an element.
        shape: of the array, rows first.
    """

    file: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Of the array."""
        return self.file.stat().st_size

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        return np.asarray(np.memmap(self.file, self.dtype, "r", shape=self.shape)[index])

    def keys(self) -> np.ndarray:
        """A key (n,) of each row, kept in a file beside that of the array."""
        return np.fromfile(cached(self.file.with_name(f"{self.file.name}.keys"), self._write_keys), "<u8")

    def _write_keys(self, path: Path) -> None:
        n = max(1, AT_ONCE // max(1, math.prod(self.shape[1:])))
        with open(path, "wb") as file:
            for start in range(0, self.shape[0], n):
                rows = self[np.arange(start, min(start + n, self.shape[0]))]
                file.write(row_keys(rows).astype("<u8").tobytes())


class StoredSplit(Dataset[Batch]):
    """A split whose inputs stay on disk until a batch asks for them.

    Args:
        index: (k,) the split's samples among all.
        target: (k, ...) of these samples.
        columns: each input of all samples.
    """

    def __init__(self, index: np.ndarray, target: Tensor, **columns: Rows):
        self.index, self.target, self.columns = index, target, columns

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> Batch:
        return {name: column[0] for name, column in self.__getitems__([index]).items()}

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        """The samples of `index` as one batch."""
        index = torch.as_tensor(index)
        rows = self.index[index.numpy()]
        inputs = {name: torch.from_numpy(column[rows]) for name, column in self.columns.items()}
        return {**inputs, "target": self.target[index]}

    @property
    def input_keys(self) -> np.ndarray:
        """A key (k,) of each sample's inputs."""
        return joined_keys([self.columns[name].keys()[self.index] for name in sorted(self.columns)])


def stored_split(index: np.ndarray, target: Tensor, **columns: Rows) -> StoredSplit | TensorSplit:
    """A `StoredSplit`; in memory, where it is faster, if all samples of its data set fit there well."""
    split = StoredSplit(index, target, **columns)
    n_bytes = sum(column.n_bytes for column in columns.values())
    if n_bytes > IN_MEMORY or is_large(n_bytes):
        return split
    whole = TensorSplit(**split.__getitems__(range(len(split))))
    whole.stored = split
    return whole


def is_large(n_bytes: float) -> bool:
    """Whether so many bytes are much of the free memory."""
    return SHARE * n_bytes > free_memory()


def check_room(n_bytes: float, what: Path | str, fix: str = "free some, or give less data") -> None:
    """Raise UserError where `what` takes more bytes than the free memory has."""
    if n_bytes > free_memory():
        raise UserError(f"{what} takes {n_bytes / 1e9:.1f} GB of memory, {free_memory() / 1e9:.1f} GB are free\n{fix}")
