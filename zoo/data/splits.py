"""Training, validation and test split as map-style data sets that give whole batches."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec

Batch = dict[str, Tensor]
AT_ONCE = 2**25  # values of a batch that is only read


class NamedBatch(Batch):
    """A batch with the names of its samples: `names` holds a list (n,) of them by heading, more than one where it takes
    several to name a sample."""

    def __init__(self, values: Batch, names: Mapping[str, list[str]]):
        super().__init__(values)
        self.names = names


class HasKeys(Protocol):
    """Where the samples of a split come from, which has a key for each."""

    @property
    def input_keys(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Known:
    """Samples that are known by keys of what they were computed from, which is exact on every machine."""

    input_keys: np.ndarray


class TensorSplit(Dataset[Batch]):
    """A split that lies in memory: one tensor for each input and the target, all with the samples as first axis.

    `stored` is what it was read from, if that tells its samples apart.
    """

    stored: HasKeys | None = None

    def __init__(self, **columns: Tensor):
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"all columns of a split have as many samples; got {lengths}")
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["target"])

    def __getitem__(self, index: int) -> Batch:
        return {name: column[index] for name, column in self.columns.items()}

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        """The samples of `index` as one batch; torch's DataLoader calls this in place of one call an item."""
        index = torch.as_tensor(index)
        return {name: column[index.to(column.device)] for name, column in self.columns.items()}

    def subset(self, index: Sequence[int] | Tensor | np.ndarray) -> "TensorSplit":
        """A split of the samples in `index`, in that order."""
        index = torch.as_tensor(index)
        part = TensorSplit(**self.__getitems__(index))
        return part if self.stored is None else part.known_by(self.stored.input_keys[index.cpu().numpy()])

    def known_by(self, keys: np.ndarray | None) -> "TensorSplit":
        """This split, whose samples (n,) are told apart by `keys`, if there are any."""
        self.stored = None if keys is None else Known(keys)
        return self

    @property
    def n_bytes(self) -> int:
        """Memory that the tensors take."""
        return sum(column.nbytes for column in self.columns.values())

    def to(self, device: torch.device) -> "TensorSplit":
        """The same split on `device`."""
        return TensorSplit(**{name: column.to(device) for name, column in self.columns.items()})


Split = TensorSplit | Dataset[Batch]


def collate(samples: Batch | list[Batch]) -> Batch:
    """A batch as it is, or a list of samples as a batch."""
    return samples if isinstance(samples, Mapping) else default_collate(samples)


def n_at_once(sample: Batch) -> int:
    """How many samples like this one are read together: 1,000, or fewer where they are large."""
    return max(1, min(1000, AT_ONCE // sum(value.numel() for value in sample.values())))


def batches(split: Split, batch_size: int | None = None) -> Iterator[Batch]:
    """The whole split in order, `batch_size` samples at a time; None is `n_at_once`."""
    n = len(split)  # type: ignore[arg-type]
    batch_size = batch_size or n_at_once(split[0])
    for start in range(0, n, batch_size):
        index = range(start, min(start + batch_size, n))
        if hasattr(split, "__getitems__"):
            yield collate(split.__getitems__(index))
        else:
            yield collate([split[i] for i in index])


def each_value_once(split: Split) -> Iterator[Batch]:
    """Batches that hold each value of a split once, for statistics; a split whose samples overlap says how."""
    return split.each_value_once() if hasattr(split, "each_value_once") else batches(split)


@dataclass(frozen=True)
class Splits:
    """The three splits of a data set. `train` fits, `val` selects, `test` is read once, at the end. `files` are texts
    for the run folder, by name: what the reader found that a user may want to see or correct."""

    spec: DataSpec
    train: Split
    val: Split
    test: Split
    files: Mapping[str, str] = field(default_factory=dict)


def say_twins(train: ArrayLike, val: ArrayLike, test: ArrayLike, *, advice: str = "take copies out") -> None:
    """Say in one line how many samples of `val` and `test` an earlier split holds too, told by the samples' keys."""
    seen, validated, tested = (np.asarray(keys, np.uint64) for keys in (train, val, test))
    n_val = np.isin(validated, seen).sum()
    n_test = np.isin(tested, np.concatenate([seen, validated])).sum()
    if n_val or n_test:
        echo(f"the same inputs lie in two splits, for {n_val:,} samples of val and {n_test:,} of test, whose metrics "
              f"flatter the model; {advice}")  # fmt: skip


def say_unread(unread: np.ndarray, why: Sequence[str], what: str) -> None:
    """Say how many samples of a file are not answered, and why.

    Args:
        unread: mask (n,) of those that cannot be read.
        why: what is wrong with them; the first three are told.
        what: they are called.

    Raises:
        UserError: where none is left.
    """
    if len(unread) and unread.all():
        raise UserError("\n".join([f"none of {len(unread):,} {what} can be answered", *why[:3]]))
    if unread.any():
        echo(f"not answered: {unread.sum():,} of {len(unread):,} {what}", *why[:3], sep="\n  ")


def sample_keys(split: Split) -> np.ndarray:
    """A key (n,) of each sample's inputs; none for a split on disk, of which there may be very many."""
    return input_keys(split) if isinstance(split, TensorSplit) else np.empty(0, np.uint64)


def input_keys(split: TensorSplit) -> np.ndarray:
    """A key (n,) of each sample's inputs, the same on every machine."""
    if split.stored is not None:
        return split.stored.input_keys
    parts = [
        joined_keys([row_keys(batch[name].numpy()) for name in sorted(batch) if name != "target"])
        for batch in batches(split)
    ]
    return np.concatenate(parts)


def joined_keys(keys: Sequence[np.ndarray]) -> np.ndarray:
    """One key (n,) of several, in their order."""
    return keys[0] if len(keys) == 1 else row_keys(np.stack(keys, axis=1))


def row_keys(rows: np.ndarray) -> np.ndarray:
    """A hash (n,) of the bytes of each row; the zeros at its end, such as padding, count for nothing."""
    rows = np.ascontiguousarray(rows.reshape(len(rows), math.prod(rows.shape[1:])))
    content = rows.astype(rows.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    words = np.zeros((len(rows), -(-content.shape[1] // 8)), "<u8")
    words.view(np.uint8)[:, : content.shape[1]] = content
    factors = _mixed(np.arange(1, words.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    return _mixed(_mixed(words.astype(np.uint64, copy=False)) @ factors)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers of 64 bits mixed so that neighbours give unrelated ones, and 0 gives 0 (splitmix64)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return numbers ^ numbers >> np.uint64(31)


def check_shares(val_share: float, test_share: float) -> None:
    """Raise UserError unless the shares leave something for each split."""
    shares = (val_share, test_share)
    if not (all(isinstance(share, int | float) and share > 0 for share in shares) and sum(shares) < 1):
        raise UserError(
            f"data.val_share and data.test_share are above 0, and below 1 together; got {val_share} and {test_share}"
        )


def carve(
    n: int, size: int | float, *, seed: int = 0, stratify: Tensor | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split the indices 0..n-1 at random into (rest, carved).

    Args:
        n: samples.
        size: samples to carve out, or their share if below 1.
        seed: of the split; never that of a training.
        stratify: classes (n,) whose shares both parts keep; a class of a single sample stays in the rest.
    """
    from sklearn.model_selection import train_test_split

    n_carved = int(size) if size >= 1 else math.ceil(size * n)
    if stratify is not None and 0 < n_carved < n and _too_small(stratify, min(n_carved, n - n_carved)):
        order = np.random.default_rng(seed).permutation(n)
        places = np.where(is_alone(stratify), 1, stratified_places(stratify, order))
        ordered = order[np.argsort(places[order], kind="stable")]
        return ordered[n_carved:], ordered[:n_carved]
    rest, carved = train_test_split(np.arange(n), test_size=size, random_state=seed, stratify=stratify)
    return rest, carved


def _too_small(classes: Tensor | np.ndarray, n: int) -> bool:
    """Whether scikit-learn would not stratify by `classes` (n,), the smaller part being of `n` samples."""
    counts = np.unique(classes, return_counts=True)[1]
    return bool(counts.min() < 2 or len(counts) > n)


def is_alone(classes: Tensor | np.ndarray) -> np.ndarray:
    """Whether each sample is the only one of its class (n,)."""
    _, one_of, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return counts[one_of] == 1


def stratified_places(classes: Tensor | np.ndarray, order: np.ndarray) -> np.ndarray:
    """A number from 0 to 1 for each sample (n,), so that any interval holds its share of each class, up to a sample,
    and of all together: classes of one size start at different offsets, as else they would all be rounded alike.

    Args:
        classes: of the samples (n,).
        order: of the samples (n,), at random.
    """
    _, one_of, counts = np.unique(classes, return_inverse=True, return_counts=True)
    _, first = np.unique(one_of[order], return_index=True)
    rank, n_alike = _ranks(counts, np.argsort(first))
    offsets = (rank + 0.5) / n_alike
    return (_ranks(one_of, order)[0] + offsets[one_of]) / counts[one_of]


def _ranks(groups: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of each in `order` among those of its group, from 0, and how many these are, (n,) both."""
    _, one_of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    ordered = order[np.argsort(one_of[order], kind="stable")]  # group by group
    ranks = np.empty(len(groups))
    ranks[ordered] = np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks, counts[one_of]
