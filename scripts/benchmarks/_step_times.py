"""The time of a recurrent layer, forward and backward, by the length of the sequences."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks._measure import rounded
from zoo.core.formatting import format_number
from zoo.engine.speed.malloc import malloc
from zoo.models import MODELS

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
LAYERS = ("rnn/lstm", "rnn/gru", "rnn/mingru", "rnn/lru")
WIDTH, BATCH_SIZE, SECONDS = 128, 32, 3.0


@dataclass(frozen=True)
class StepTimes:
    """A row of the table: a layer's milliseconds by length.

    Args:
        model: its architecture.
        milliseconds: by length.
    """

    model: str
    milliseconds: Mapping[int, float]

    @property
    def name(self) -> str:
        return f"step of {self.model}"

    @property
    def row(self) -> dict[str, Any]:
        """What the table shows, as plain values."""
        return {"layer": self.model} | {f"{length:,} steps": value for length, value in self.milliseconds.items()}

    @property
    def cells(self) -> list[str]:
        """The row as text."""
        return [self.model, *map(format_number, self.milliseconds.values())]


def step_time(model: str, length: int) -> float:
    """The median milliseconds of the processor that a layer of 128 units takes for 32 sequences."""
    network: Any = MODELS.get(model)
    layer = network.cell(WIDTH, WIDTH, batch_first=True)
    sequence = torch.randn(BATCH_SIZE, length, WIDTH, requires_grad=True)

    def taken() -> float:
        start = time.process_time()
        hidden, _ = layer(sequence)
        hidden.square().mean().backward()
        return time.process_time() - start

    with malloc():  # as in a training, so that no time goes to asking the system for memory
        n = max(3, min(20, int(SECONDS / taken())))  # after a warm-up
        return rounded(1e3 * statistics.median(taken() for _ in range(n)))
