"""The three splits of a data set, as map-style data sets that return whole batches."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec

Batch = dict[str, Tensor]
Names = Mapping[str, Sequence[str | list[str]]]
READ_VALUES = 2**25  # values of a batch that is only read, not trained on


class NamedBatch(Batch):
    """A batch with the names of its samples.

    Args:
        values: the tensors.
        names: the samples' names (n,) by heading; several headings if a name has several parts. A name may be a list of
            names, one for each row that the answer has in a table, such as the times of a forecast.
    """

    def __init__(self, values: Batch, names: Names):
        super().__init__(values)
        self.names = names


class HasInputHashes(Protocol):
    """What the samples of a split were read from, if it has a hash (n,) of each."""

    @property
    def input_hashes(self) -> np.ndarray: ...


@dataclass(frozen=True)
class SampleHashes:
    """Hashes of the exact source of each sample, such as its file, where the inputs are computed and may differ in
    their last bits from machine to machine."""

    input_hashes: np.ndarray


class TensorSplit(Dataset[Batch]):
    """A split in memory: a tensor for each input and the target, all with the samples as first axis.

    `stored` is what it was read from, if that has hashes of the samples.
    """

    stored: HasInputHashes | None = None

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
        """Return the samples of `index` as one batch; torch's DataLoader calls this instead of once per sample."""
        index = torch.as_tensor(index)
        return {name: column[index.to(column.device)] for name, column in self.columns.items()}

    def subset(self, index: Sequence[int] | Tensor | np.ndarray) -> "TensorSplit":
        """Select the samples in `index`, in that order."""
        index = torch.as_tensor(index)
        part = TensorSplit(**self.__getitems__(index))
        return part if self.stored is None else part.with_hashes(self.stored.input_hashes[index.cpu().numpy()])

    def with_hashes(self, hashes: np.ndarray | None) -> "TensorSplit":
        """Set the hashes (n,) of the samples' sources; None hashes the tensors."""
        self.stored = None if hashes is None else SampleHashes(hashes)
        return self

    @property
    def n_bytes(self) -> int:
        """Memory of the tensors."""
        return sum(column.nbytes for column in self.columns.values())

    def to(self, device: torch.device) -> "TensorSplit":
        """Copy the split to `device`."""
        return TensorSplit(**{name: column.to(device) for name, column in self.columns.items()})


Split = TensorSplit | Dataset[Batch]


@dataclass(frozen=True)
class NumberedSplit(Dataset[Batch]):
    """A split whose batches also hold `row` (batch,), the samples' numbers in it."""

    split: Split

    def __len__(self) -> int:
        return len(self.split)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Batch:
        return {**self.split[index], "row": torch.tensor(index)}

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        """Return the samples of `index` as one batch."""
        return {**read(self.split, index), "row": torch.as_tensor(index)}  # type: ignore[arg-type]


def numbered(split: Split) -> Split:
    """Add `row` to a split's batches, the samples' numbers in it."""
    if isinstance(split, TensorSplit):
        return TensorSplit(**split.columns, row=torch.arange(len(split)))
    return NumberedSplit(split)


def collate(samples: Batch | list[Batch]) -> Batch:
    """Return a batch as it is; make one of a list of samples."""
    return samples if isinstance(samples, Mapping) else default_collate(samples)


def read_batch_size(sample: Batch) -> int:
    """How many samples like this one to read at once: 1,000, or fewer if they are large."""
    return max(1, min(1000, READ_VALUES // sum(value.numel() for value in sample.values())))


def batches(split: Split, batch_size: int | None = None) -> Iterator[Batch]:
    """Read a split in order, `batch_size` samples at a time; None is `read_batch_size`."""
    n = len(split)  # type: ignore[arg-type]
    batch_size = batch_size or read_batch_size(split[0])
    for start in range(0, n, batch_size):
        yield read(split, range(start, min(start + batch_size, n)))


class Batches:
    """Splits in order, one after the other, as `batches` reads them, each time anew."""

    def __init__(self, *splits: Split):
        self.splits = splits

    def __iter__(self) -> Iterator[Batch]:
        return itertools.chain.from_iterable(map(batches, self.splits))


def read(split: Split, index: Sequence[int]) -> Batch:
    """Read the samples of `index` as one batch."""
    if hasattr(split, "__getitems__"):
        return collate(split.__getitems__(index))
    return collate([split[i] for i in index])


def each_value_once(split: Split) -> Iterator[Batch]:
    """Read each value of a split once, for statistics; a split of overlapping samples has a method for it."""
    return split.each_value_once() if hasattr(split, "each_value_once") else batches(split)


@dataclass(frozen=True)
class Splits:
    """The three splits of a data set.

    Attributes:
        spec: describes the data.
        train: to fit.
        val: to select.
        test: read once, at the end.
        files: texts to write to the run folder, by name, such as a schema that the user may want to correct.
        groups: (n_train + n_val,) of the training, then the validation samples, where those of a group stay together.
        in_order: whether the splits follow one another, as in time, so that no other samples may validate.
    """

    spec: DataSpec
    train: Split
    val: Split
    test: Split
    files: Mapping[str, str] = field(default_factory=dict)
    groups: np.ndarray | None = None
    in_order: bool = False


def report_sizes(splits: Splits, what: str) -> None:
    """Print how many samples each split has, their classes, lengths, channels and sampling rate.

    Args:
        splits: of a user's sequences or texts.
        what: the plural noun for samples, such as "texts".
    """
    spec, lengths = splits.spec, getattr(splits.train, "columns", {}).get("lengths")
    sizes = " / ".join(f"{len(split):,}" for split in (splits.train, splits.val, splits.test))  # type: ignore[arg-type]
    first, rate = next(iter(spec.inputs.values())), spec.reading.get("rate")
    facts = [f"{what}: {sizes} to train, validate and test"]
    facts += [f"{len(spec.class_names):,} classes"] if spec.class_names else []
    if lengths is not None and len(lengths):
        ends = dict.fromkeys(f"{end:,}" for end in (int(lengths.min()), int(lengths.max())))
        facts.append(f"{' to '.join(ends)} {'steps' if first.is_floating else 'characters'}")
    facts += [f"{first.shape[-1]:,} {'bands' if rate else 'channels'}"] if first.is_floating else []
    facts += [f"{rate:,} Hz"] if rate else []
    echo("; ".join(facts))


def report_unread(unread: np.ndarray, why: Sequence[str], what: str) -> None:
    """Report how many samples of a file cannot be read, and why.

    Args:
        unread: mask (n,).
        why: the errors; the first three are shown.
        what: the plural noun for samples, such as "rows".

    Raises:
        UserError: if none can be read.
    """
    if len(unread) and unread.all():
        raise UserError("\n".join([f"none of {len(unread):,} {what} can be answered", *why[:3]]))
    if unread.any():
        echo(f"not answered: {unread.sum():,} of {len(unread):,} {what}", *why[:3], sep="\n  ")
