"""The order of batches, which depends on the seed and the epoch alone."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.core.errors import UserError
from zoo.data.splits import Batch


class EpochBatches:
    """Yields the indices of an epoch's batches; where several processes share a batch, this one's part.

    Batches differ in size by at most one sample, so none is dropped and none is tiny. The order depends on the seed and
    the epoch alone, and an epoch is the same for any number of processes.

    Args:
        n: samples.
        batch_size: largest batch, over all processes.
        seeds: of the order; None keeps the samples in theirs. With several, a batch holds one batch for each, in turn.
        rank: of this process.
        world_size: processes.
        position: gives the epoch and how many of its batches are done, when an epoch starts.
        streams: whether the samples follow one another: then each place in a batch is a stream, whose next sample is
            at the same place in the next batch. An epoch starts at a random sample, and goes on from the last to the
            first; the first samples of some streams are the last ones of the streams before, so that all are equally
            long.

    The indices lie on `device`, that of the data: an epoch's are moved at once, as each move waits for the device.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        seeds: Sequence[int | None],
        rank: int = 0,
        world_size: int = 1,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        streams: bool = False,
    ):
        self.n_samples, self.seeds, self.rank, self.world_size = n, list(seeds), rank, world_size
        self.n_batches, self.position, self.device = -(-n // batch_size), position, torch.device("cpu")
        self.streams = streams
        self.n = -(-n // self.n_batches) * self.n_batches if streams else n  # of an epoch

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.n_batches

    def __iter__(self) -> Iterator[Tensor]:
        epoch, done = self.position()
        yield from self.of_epoch(epoch)[done:]

    def of_epoch(self, epoch: int) -> list[Tensor]:
        """The indices of each batch of an epoch."""
        orders = [self._order(seed, epoch).tensor_split(self.n_batches) for seed in self.seeds]
        return [torch.cat([self._own(part) for part in parts]) for parts in zip(*orders, strict=True)]

    def size(self, batch: int) -> int:
        """Samples that this process has of an epoch's batch, as many as tensor_split gives."""
        whole = self.n // self.n_batches + (batch < self.n % self.n_batches)
        return (whole // self.world_size + (self.rank < whole % self.world_size)) * len(self.seeds)

    def _order(self, seed: int | None, epoch: int) -> Tensor:
        if seed is None:
            return torch.arange(self.n, device=self.device)
        generator = torch.Generator().manual_seed(mix(seed, epoch))
        order = self._streams(generator) if self.streams else torch.randperm(self.n, generator=generator)
        return order.to(self.device)

    def _streams(self, generator: torch.Generator) -> Tensor:
        """Each batch holds the next sample of each stream."""
        start = torch.randint(self.n_samples, (), generator=generator)
        first = torch.arange(0, self.n, self.n_batches) * self.n_samples // self.n  # of each stream
        return (start + first + torch.arange(self.n_batches)[:, None]).flatten() % self.n_samples

    def _own(self, batch: Tensor) -> Tensor:
        return batch.tensor_split(self.world_size)[self.rank]


class LateLoader(DataLoader[Batch]):
    """A DataLoader that starts at its first batch, because Lightning creates iterators before it resumes, and whose
    workers fail with one message."""

    def __iter__(self) -> Any:
        try:
            yield from super().__iter__()
        except UserError as error:  # a worker's message follows its traceback
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
    """Hash numbers to a seed of 63 bits, so that neighbours give unrelated streams (splitmix64)."""
    state = 0
    for number in numbers:
        state = (state ^ number) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


def seed_step(device: torch.device, seed: int) -> None:
    """Seed the generators that random numbers on `device` are drawn from."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
