"""The one data module: whole batches, in an order that is a function of (seed, epoch), augmented on the device."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import lightning as L
import torch
from torch.utils.data import DataLoader

from zoo.core.errors import UserError
from zoo.data import load_data
from zoo.data.augment import augment
from zoo.data.batches import EpochBatches, LateLoader, mix, seed_step
from zoo.data.splits import Batch, Split, Splits, TensorSplit, collate


class ZooDataModule(L.LightningDataModule):
    """Serves any `Splits` to Lightning's Trainer.

    Everything random in a training step, augmentation and dropout alike, flows from (seed, step, process): the
    generators are seeded before each step. So a resumed run draws what the unbroken one would have drawn, and neither
    the number of workers nor that of batches at once changes the result.

    Args:
        splits: the data.
        seeds: of order, augmentation and dropout; one, or one for each of several models that are trained at once.
        batch_size: samples a step, over all processes.
        eval_batch_size: samples a batch in validation.
        num_workers: processes that read samples ahead; 0 reads in the main one, best for data in memory.
        resident: keep splits that are tensors on the training device; "auto" does where they take at most half of its
            free memory. Only without workers, which cannot share it.
        augment: names of augmentations of the training split, each with its options; None for one that is not to be.

    `at_once` is how many training batches Lightning is handed as one group, which `steps` takes apart; `limit` how many
    of them an epoch takes, a number or, if it is a float, their share.
    """

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
        self.augmentations, self.at_once = augment or {}, 1
        self.limit: int | float = 1.0

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled training batches, `at_once` in a group; after a resume in mid-epoch, from the first not done."""
        split = self.splits.train
        self.batches = self._batches(split, self.batch_size, self.seeds, self.at_once, self.limit, self._position)
        return self._loader(split, self.batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation batches in order; each process reads the whole of a stream, which cannot be shared."""
        split, module = self.splits.val, cast(Any, self._trainer.lightning_module)
        if module.task.stream:
            return self._loader(split, EpochBatches(len(split), self.eval_batch_size, [None]))  # type: ignore[arg-type]
        return self._loader(split, self._batches(split, self.eval_batch_size, [None]))

    def _batches(self, split: Split, batch_size: int, seeds: Sequence[int | None], *options: Any) -> EpochBatches:
        rank, world_size = self._trainer.global_rank, self._trainer.world_size
        batches = EpochBatches(len(split), batch_size, seeds, rank, world_size, *options)  # type: ignore[arg-type]
        if batches.n // batches.n_batches < world_size:
            raise UserError(f"a batch has a sample for each of {world_size} processes; raise data.batch_size")
        return batches

    def _loader(self, split: Split, batches: EpochBatches) -> DataLoader[Batch]:
        device = self._trainer.strategy.root_device
        if isinstance(split, TensorSplit) and not self.num_workers and self._stays(split, device):
            split, batches.device = split.to(device), device
        return LateLoader(
            split,
            batch_sampler=batches,  # type: ignore[arg-type]
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

    def _position(self) -> tuple[int, int]:
        """The epoch whose order is taken, and how many of its groups are done: more than none after a resume in
        mid-epoch. A training that overfits sees the same batches in each."""
        trainer: Any = self._trainer
        loop = trainer.fit_loop
        epoch = 0 if trainer.overfit_batches else loop.epoch_progress.current.processed
        return epoch, loop.epoch_loop.batch_progress.current.processed

    def steps(self, group: Batch, number: int) -> Iterator[Batch]:
        """The batches of the epoch's group `number`, each augmented, its step's generators seeded, when its turn
        comes."""
        epoch, module = self._trainer.current_epoch, cast(Any, self._trainer.lightning_module)
        first = epoch * self.batches.n_batches + number * self.at_once
        rank, device = self._trainer.global_rank, group["target"].device
        for step, batch in enumerate(self.batches.parts(group, number), first):
            seed_step(device, mix(*self.seeds, step, rank))
            yield augment(batch, self.augmentations, epoch=epoch, mixable=module.task.mixable)

    def state_dict(self) -> dict[str, Any]:
        """The size of a group, in which a checkpoint's position in the epoch is counted."""
        return {"at_once": self.at_once}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on in groups of the size that `state_dict` kept."""
        n, module = state_dict["at_once"], cast(Any, self._trainer.lightning_module)
        if n % module.accumulate:
            raise UserError(
                f"the checkpoint counts its epoch in groups of {n} batches, which cannot be accumulated by "
                f"{module.accumulate}; take trainer.accumulate_grad_batches as it was, or another run_dir"
            )
        self.at_once = n


def load_section(data: Mapping[str, Any]) -> Splits:
    """The data set of a config's data section.

    The name is the data set's, unless a `reader` says which data set takes it as one of its options.
    """
    registered = "reader" if "reader" in data else "name"
    return load_data(data[registered], **{k: v for k, v in what_decides(data).items() if k != registered})


def what_decides(data: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config's data section on which it depends which samples are in which split."""
    return {key: value for key, value in data.items() if key not in {"epochs", *_loader_keys()}}


def loader_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data module's keywords among the values of a config's data section."""
    return {key: data[key] for key in _loader_keys() & set(data)}


def _loader_keys() -> set[str]:
    return set(inspect.signature(ZooDataModule).parameters) - {"splits", "seeds"}
