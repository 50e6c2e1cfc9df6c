"""The one data module: any data set for Lightning's Trainer, in an order that depends on seed and epoch alone."""

import inspect
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader

from zoo.core.errors import UserError
from zoo.data import load_data
from zoo.data.augment import augment
from zoo.data.batches import EpochBatches, LateLoader, mix, seed_step
from zoo.data.folds import fold_splits, split_seed
from zoo.data.splits import Batch, Split, Splits, TensorSplit, collate, numbered


class ZooDataModule(L.LightningDataModule):
    """Serves any `Splits` to Lightning's Trainer.

    Everything random in a training step, augmentation and dropout alike, follows from (seed, step, process): `prepare`
    seeds the generators before each step. So a resumed run draws what the unbroken one would have drawn, and neither
    the number of workers nor the tricks of zoo/engine/speed change the result.

    Args:
        splits: the data.
        seeds: of order, augmentation and dropout; one, or one for each of several models that are trained at once.
        batch_size: samples a step, over all processes.
        eval_batch_size: samples a batch in validation.
        num_workers: processes that read samples ahead; 0 reads in the main one, best for data in memory.
        resident: keep splits that are tensors on the training device; "auto" does where they take at most half of its
            free memory. Only without workers, which cannot share it.
        augment: names of augmentations of the training split, each with its options; None switches one off.

    Attributes:
        batches: the order of the training split.
        grouped: makes a sampler of groups of batches; set by zoo/engine/speed/step_groups.py.
    """

    batches: EpochBatches

    def __init__(
        self,
        splits: Splits,
        *,
        seeds: Sequence[int] = (0,),
        batch_size: int = 128,
        eval_batch_size: int = 1000,
        num_workers: int = 0,
        resident: bool | str = "auto",
        augment: Mapping[str, Mapping[str, Any] | None] | None = None,
    ):
        super().__init__()
        if not isinstance(batch_size, int) or batch_size < 1 or eval_batch_size < 1 or num_workers < 0:
            raise UserError(
                "data.batch_size is a whole number from 1, or auto; data.eval_batch_size is at least 1, and "
                f"data.num_workers at least 0; got {batch_size}, {eval_batch_size} and {num_workers}"
            )
        self.splits, self.seeds = splits, seeds
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.num_workers, self.resident = num_workers, resident
        self.augmentations = augment or {}
        self.grouped: Callable[[EpochBatches], Any] | None = None

    def setup(self, stage: str) -> None:
        """Turn a share of the training batches into their number, at least 1."""
        trainer, n_batches = self._trainer, -(-len(_sized(self.splits.train)) // self.batch_size)
        limit = trainer.limit_train_batches
        n = int(limit * n_batches) if isinstance(limit, float) else limit
        trainer.limit_train_batches = min(max(n, 1), n_batches)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled training batches, or those of a stream in parallel parts; after a resume in mid-epoch, from the
        first that was not trained on."""
        module: Any = self._trainer.lightning_module
        split = numbered(self.splits.train) if module.n_candidates else self.splits.train
        self.batches = self._batches(split, self.batch_size, self.seeds, self.position, module.task.stream)
        return self._loader(split, self.batches, self.grouped and self.grouped(self.batches))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation batches in order; each process reads the whole of a stream, which cannot be shared."""
        split, module = self.splits.val, self._trainer.lightning_module
        if module.task.stream:  # type: ignore[union-attr]
            return self._loader(split, EpochBatches(len(_sized(split)), self.eval_batch_size, [None]))
        return self._loader(split, self._batches(split, self.eval_batch_size, [None]))

    def prepare(self, batch: Batch, index: int) -> Batch:
        """Seed the generators for the epoch's training batch `index`, and augment it."""
        trainer: Any = self._trainer
        epoch, rank, mixable = trainer.current_epoch, trainer.global_rank, trainer.lightning_module.task.mixable
        seed_step(batch["target"].device, mix(*self.seeds, epoch * self.batches.n_batches + index, rank))
        return augment(batch, self.augmentations, epoch=epoch, mixable=mixable)

    def position(self) -> tuple[int, int]:
        """The epoch whose order is taken, and how many of its batches are done: not 0 after a resume in mid-epoch. A
        training that overfits sees the same batches in each epoch."""
        trainer: Any = self._trainer
        module = trainer.lightning_module
        return 0 if trainer.overfit_batches else trainer.current_epoch, module.batches_done() % module.n_batches()

    def _batches(self, split: Split, batch_size: int, seeds: Sequence[int | None], *options: Any) -> EpochBatches:
        rank, world_size = self._trainer.global_rank, self._trainer.world_size
        batches = EpochBatches(len(_sized(split)), batch_size, seeds, rank, world_size, *options)
        if batches.n // batches.n_batches < world_size:
            raise UserError(f"a batch has a sample for each of {world_size} processes; raise data.batch_size")
        return batches

    def _loader(self, split: Split, batches: EpochBatches, sampler: Any = None) -> DataLoader[Batch]:
        device = self._trainer.strategy.root_device
        if isinstance(split, TensorSplit) and not self.num_workers and self._stays(split, device):
            split, batches.device = split.to(device), device
        return LateLoader(
            split,
            batch_sampler=sampler or batches,  # type: ignore[arg-type]
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )

    def _stays(self, split: TensorSplit, device: torch.device) -> bool:
        if self.resident != "auto":
            return bool(self.resident)
        return device.type != "cuda" or 2 * split.n_bytes <= torch.cuda.mem_get_info(device)[0]

    @property
    def _trainer(self) -> L.Trainer:
        assert self.trainer is not None
        return self.trainer


def _sized(split: Split) -> Sized:
    assert isinstance(split, Sized)
    return split


def load_section(data: Mapping[str, Any]) -> Splits:
    """Load the data set of a config's data section.

    The section's name is that of the data set, unless `reader` names the data set that takes it as an option. Of one
    of several folds, `val_fold` is its number, from 0, and how many there are.
    """
    options = what_decides(data)
    fold, name = options.pop("val_fold", None), options.pop("reader" if "reader" in data else "name")
    splits = load_data(name, **options)
    return splits if fold is None else fold_splits(splits, fold[0], fold[1], split_seed(data))


def what_decides(data: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config's data section that decide which samples are in which split."""
    return {key: value for key, value in data.items() if key not in {"epochs", *_loader_keys()}}


def loader_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data module's keywords among the values of a config's data section."""
    return {key: data[key] for key in _loader_keys() & set(data)}


def _loader_keys() -> set[str]:
    return set(inspect.signature(ZooDataModule).parameters) - {"splits", "seeds"}
