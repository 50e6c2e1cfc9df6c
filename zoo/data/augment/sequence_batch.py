"""What augmentations of sequences ask of a batch: its values, which steps are data, and numbers for each sequence."""

import torch
from torch import Tensor

from zoo.data.splits import Batch


def sequence_of(batch: Batch) -> Tensor:
    """The sequences (batch, time, n_channels) as floating numbers."""
    sequence = batch["sequence"]
    return sequence if sequence.is_floating_point() else sequence.float()


def step_numbers(batch: Batch) -> tuple[Tensor, Tensor]:
    """The number of each step (1, time), and of the last one of each sequence (batch, 1)."""
    sequence = batch["sequence"]
    steps = torch.arange(sequence.shape[1], device=sequence.device)[None]
    return steps, batch["lengths"][:, None] - 1 if "lengths" in batch else steps[:, -1:].expand(len(sequence), 1)


def valid_steps(batch: Batch) -> Tensor:
    """Mask (batch, time, 1) that is True for data and False for padding."""
    steps, last = step_numbers(batch)
    return (steps <= last)[:, :, None]


def uniform(batch: Batch, *shape: int, low: float = -1.0) -> Tensor:
    """Random numbers from `low` to 1 for each sequence, (batch, *shape)."""
    sequence = batch["sequence"]
    return torch.rand(len(sequence), *shape, device=sequence.device) * (1 - low) + low


def check_one_target(batch: Batch) -> None:
    """Raise ValueError where each step has a target, or the steps that follow are the target."""
    target = batch["target"]
    if target.dim() > 2 or (target.dim() == 2 and not target.is_floating_point()):
        raise ValueError("it is for sequences with one target each, and here steps have targets; leave it out")
