"""The one data module: whole batches, in an order that is a function of (seed, epoch), augmented on the device."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.data import load_data
from zoo.data.augment import augment
from zoo.data.splits import Batch, Split, Splits, TensorSplit, collate
from zoo.errors import UserError


class EpochBatches:
    """Yields each batch's indices, a part of it where several processes share it.

    Batches differ in size by at most one sample, so none is dropped and none is tiny. The order is a function of the
    seed and the epoch alone. Under several processes each takes its share of every batch, so that an epoch is the same
    for any number of them.

    Args:
        n: samples.
        batch_size: largest batch, over all processes.
        seed: of the order; None keeps the samples in theirs.
        rank: this process.
        world_size: processes.
        position: gives the epoch and how many of its batches are done; asked when an epoch's first batch is.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        seed: int | None,
        rank: int = 0,
        world_size: int = 1,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ):
        self.n, self.seed, self.rank, self.world_size = n, seed, rank, world_size
        self.n_batches = -(-n // batch_size)
        self.position = position

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Tensor]:
        epoch, done = self.position()
        order = torch.arange(self.n)
        if self.seed is not None:
            order = torch.randperm(self.n, generator=torch.Generator().manual_seed(mix(self.seed, epoch)))
        for batch in order.tensor_split(self.n_batches)[done % self.n_batches :]:
            yield batch.tensor_split(self.world_size)[self.rank]


class LateLoader(DataLoader[Batch]):
    """A DataLoader that starts when its first batch is asked for, as Lightning makes iterators before it resumes, and
    whose workers end in one message."""

    def __iter__(self) -> Any:
        try:
            yield from super().__iter__()
        except UserError as error:  # a worker's comes with its traceback in front
            raise UserError(str(error).rpartition("UserError: ")[2].strip()) from error
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise UserError(
                "a process that reads data was killed, as the system does when memory runs out\n"
                "lower data.num_workers or data.batch_size; data.num_workers=0 reads in the main process"
            ) from error


def mix(*numbers: int) -> int:
    """One seed of 63 bits from several numbers, so that neighbours give unrelated streams (splitmix64)."""
    state = 0
    for number in numbers:
        state = (state ^ number) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


class ZooDataModule(L.LightningDataModule):
    """Serves any `Splits` to Lightning's Trainer.

    Everything random in a training step, augmentation and dropout alike, flows from (seed, step, process): the
    generators are seeded before each step. So a resumed run draws what the unbroken one would have drawn, and no
    number of workers changes the result.

    Args:
        splits: the data.
        seed: of order, augmentation and dropout.
        batch_size: samples a step, over all processes.
        eval_batch_size: samples a batch in validation.
        num_workers: processes that read samples ahead; 0 reads in the main one, best for data in memory.
        resident: keep splits that are tensors on the training device; only without workers, which cannot share it.
        augment: names of augmentations of the training split, each with its options.
    """

    def __init__(
        self,
        splits: Splits,
        *,
        seed: int = 0,
        batch_size: int = 128,
        eval_batch_size: int = 1000,
        num_workers: int = 0,
        resident: bool = True,
        augment: Mapping[str, Mapping[str, Any]] | None = None,
    ):
        super().__init__()
        if not isinstance(batch_size, int) or batch_size < 1 or eval_batch_size < 1 or num_workers < 0:
            raise UserError(
                "data.batch_size is a whole number from 1, or auto; data.eval_batch_size is at least 1, and "
                f"data.num_workers at least 0; got {batch_size}, {eval_batch_size} and {num_workers}"
            )
        self.splits, self.seed = splits, seed
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.num_workers, self.resident = num_workers, resident
        self.augmentations = augment or {}

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled training batches; after a resume in mid-epoch, from the first that is not done."""
        return self._loader(self.splits.train, self.batch_size, self.seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation batches in order."""
        return self._loader(self.splits.val, self.eval_batch_size, None)

    def _loader(self, split: Split, batch_size: int, seed: int | None) -> DataLoader[Batch]:
        trainer = self.trainer
        assert trainer is not None
        if self.resident and not self.num_workers and isinstance(split, TensorSplit):
            split = split.to(trainer.strategy.root_device)
        n = len(split)  # type: ignore[arg-type]
        batches = EpochBatches(n, batch_size, seed, trainer.global_rank, trainer.world_size)
        if n // len(batches) < trainer.world_size:
            raise UserError(f"a batch has a sample for each of {trainer.world_size} processes; raise data.batch_size")
        if seed is not None:
            batches.position = self._position
        return LateLoader(
            split,
            batch_sampler=batches,  # type: ignore[arg-type]
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )

    def _position(self) -> tuple[int, int]:
        """The epoch, and how many of its batches are done: more than none after a resume in mid-epoch."""
        assert self.trainer is not None
        loop: Any = self.trainer.fit_loop
        return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.processed

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Seed the step, and augment its batch."""
        trainer = self.trainer
        assert trainer is not None
        if not trainer.training:
            return batch
        step = trainer.fit_loop.epoch_loop.total_batch_idx
        seed_step(batch["target"].device, mix(self.seed, step, trainer.global_rank))
        return augment(batch, self.augmentations)


def load_section(data: Mapping[str, Any]) -> Splits:
    """The data set of a config's data section.

    The name is the data set's, unless a `reader` says which data set takes it as one of its options.
    """
    registered = "reader" if "reader" in data else "name"
    others = {registered, "epochs", *_loader_keys()}
    return load_data(data[registered], **{key: value for key, value in data.items() if key not in others})


def loader_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data module's keywords among the values of a config's data section."""
    return {key: data[key] for key in _loader_keys() & set(data)}


def _loader_keys() -> set[str]:
    return set(inspect.signature(ZooDataModule).parameters) - {"splits", "seed"}


def seed_step(device: torch.device, seed: int) -> None:
    """Seed the generators that work on `device` draws from."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
