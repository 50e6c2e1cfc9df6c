"""Hashes of samples by their contents, the same on every machine."""

import math
from collections.abc import Sequence

import numpy as np

from zoo.data.splits import Split, TensorSplit, batches


def hash_rows(rows: np.ndarray) -> np.ndarray:
    """Hash the bytes of each row, (n,) uint64; trailing zeros, such as padding, change nothing."""
    rows = np.ascontiguousarray(rows.reshape(len(rows), math.prod(rows.shape[1:])))
    content = rows.astype(rows.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    words = np.zeros((len(rows), -(-content.shape[1] // 8)), "<u8")
    words.view(np.uint8)[:, : content.shape[1]] = content
    factors = _mix(np.arange(1, words.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    return _mix(_mix(words.astype(np.uint64, copy=False)) @ factors)


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Mix 64-bit numbers so that similar ones become unrelated and 0 stays 0 (splitmix64)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return numbers ^ numbers >> np.uint64(31)


def combine_hashes(hashes: Sequence[np.ndarray]) -> np.ndarray:
    """Combine several hashes of each sample into one (n,); their order counts."""
    return hashes[0] if len(hashes) == 1 else hash_rows(np.stack(hashes, axis=1))


def input_hashes(split: TensorSplit) -> np.ndarray:
    """Hash each sample's inputs (n,)."""
    if split.stored is not None:
        return split.stored.input_hashes
    parts = [
        combine_hashes([hash_rows(batch[name].numpy()) for name in sorted(batch) if name != "target"])
        for batch in batches(split)
    ]
    return np.concatenate(parts)


def input_hashes_in_memory(split: Split) -> np.ndarray:
    """Hash each sample's inputs (n,); none of a split on disk, which may be very large."""
    return input_hashes(split) if isinstance(split, TensorSplit) else np.empty(0, np.uint64)
