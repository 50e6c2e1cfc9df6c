"""The order of batches: a function of (seed, epoch) alone."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.core.errors import UserError
from zoo.data.splits import Batch


class EpochBatches:
    """Yields the indices of batches, a part of each where several processes share it.

    Batches differ in size by at most one sample, so none is dropped and none is tiny. The order is a function of the
    seed and the epoch alone. Under several processes each takes its share of every batch, so that an epoch is the same
    for any number of them. Several batches in a row may be handed out as one group, which `parts` takes apart again.

    Args:
        n: samples.
        batch_size: largest batch, over all processes.
        seeds: of the order; None keeps the samples in theirs. With several, a batch holds one batch for each, in turn.
        rank: this process.
        world_size: processes.
        at_once: batches in a group; the epoch's last group may hold fewer.
        limit: batches that an epoch takes, its first, as a number or, if it is a float, as their share.
        position: gives the epoch and how many of its groups are done; asked when an epoch's first group is.

    The indices lie on `device`, that of the data: an epoch's are moved at once, as each move waits for the device.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        seeds: Sequence[int | None],
        rank: int = 0,
        world_size: int = 1,
        at_once: int = 1,
        limit: int | float = 1.0,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ):
        self.n, self.seeds, self.rank, self.world_size = n, list(seeds), rank, world_size
        self.n_batches, self.at_once = -(-n // batch_size), at_once
        n_taken = int(limit * self.n_batches) if isinstance(limit, float) else limit
        self.n_taken = min(max(n_taken, 1), self.n_batches)
        self.position, self.device = position, torch.device("cpu")

    def __len__(self) -> int:
        """Groups in an epoch."""
        return -(-self.n_taken // self.at_once)

    def __iter__(self) -> Iterator[Tensor]:
        epoch, done = self.position()
        orders = [self._order(seed, epoch).tensor_split(self.n_batches) for seed in self.seeds]
        batches = [torch.cat([self._own(part) for part in parts]) for parts in zip(*orders, strict=True)]
        for group in range(done % len(self), len(self)):
            yield torch.cat([batches[batch] for batch in self._of_group(group)])

    def _order(self, seed: int | None, epoch: int) -> Tensor:
        if seed is None:
            return torch.arange(self.n, device=self.device)
        return torch.randperm(self.n, generator=torch.Generator().manual_seed(mix(seed, epoch))).to(self.device)

    def _own(self, batch: Tensor) -> Tensor:
        return batch.tensor_split(self.world_size)[self.rank]

    def _of_group(self, number: int) -> range:
        first = number * self.at_once
        return range(first, min(first + self.at_once, self.n_taken))

    def n_parts(self, number: int) -> int:
        """Batches in an epoch's group `number`."""
        return len(self._of_group(number))

    def parts(self, group: Batch, number: int) -> Iterator[Batch]:
        """The batches of an epoch's group `number`, as views of its tensors."""
        sizes = [self._size(batch) for batch in self._of_group(number)]
        columns = {name: column.split(sizes) for name, column in group.items()}
        return ({name: parts[i] for name, parts in columns.items()} for i in range(len(sizes)))

    def _size(self, batch: int) -> int:
        """Samples that this process has of the epoch's batch `batch`; as many as tensor_split gives."""
        whole = self.n // self.n_batches + (batch < self.n % self.n_batches)
        return (whole // self.world_size + (self.rank < whole % self.world_size)) * len(self.seeds)


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
            if "killed by signal" in str(error) or multiprocessing.get_start_method() == "fork":
                what = "a process that reads data was killed, as the system does when memory runs out"
                fix = "lower data.num_workers or data.batch_size"
            else:
                what = "a process that reads data ended unexpectedly"
                fix = 'in a script of your own, do the work under `if __name__ == "__main__":`'
            raise UserError(f"{what}\n{fix}; data.num_workers=0 reads in the main process") from error


def mix(*numbers: int) -> int:
    """One seed of 63 bits from several numbers, so that neighbours give unrelated streams (splitmix64)."""
    state = 0
    for number in numbers:
        state = (state ^ number) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


def seed_step(device: torch.device, seed: int) -> None:
    """Seed the generators that work on `device` draws from."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
