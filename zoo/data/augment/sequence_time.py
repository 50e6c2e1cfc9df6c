"""Move the steps of sequences in time: warp, shift, speed up and crop.

Values between two steps are interpolated linearly. Where sequences have lengths, these change with the time that they
take; padding stays at their end and is zero.
"""

import torch
from torch import Tensor

from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.augment.sequence_batch import check_one_target, sequence_of, step_numbers, uniform, valid_steps
from zoo.data.splits import Batch


@AUGMENTATIONS.register("time_warp")
def time_warp(batch: Batch, *, std: float = 0.2, n_knots: int = 4) -> Batch:
    """Speed each sequence up and down over its course; its length stays (T. Um et al., arXiv 1706.00527, section 3).
    Deviation: the speed is log-normal, so that it is never negative, and linear from knot to knot.

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        std: of the logarithm of the speed.
        n_knots: evenly spaced points that each have a random speed.
    """
    if std < 0 or n_knots < 2:
        raise ValueError(f"time_warp.std is at least 0 and n_knots at least 2; got {std} and {n_knots}")
    steps, last = step_numbers(batch)  # (1, time), (batch, 1)
    speeds = (std * torch.randn(len(last), n_knots, device=last.device)).exp()
    speed = interpolate(speeds[:, :, None], (steps - 0.5) / last.clamp(min=1) * (n_knots - 1))[..., 0]
    way = (speed * (steps > 0)).cumsum(1)  # (batch, time)
    whole = way.gather(1, last.long()).clamp(min=1e-6)
    return resample(batch, way / whole * last)


@AUGMENTATIONS.register("time_shift")
def time_shift(batch: Batch, *, amount: float = 0.1) -> Batch:
    """Shift each sequence by a random number of steps, within its length; the first or last value fills the gap.

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        amount: largest shift, as a share of a sequence's length.
    """
    steps, last = step_numbers(batch)
    return resample(batch, steps - (uniform(batch, 1) * amount * (last + 1)).round())


@AUGMENTATIONS.register("speed")
def speed(batch: Batch, *, amount: float = 0.1) -> Batch:
    """Play each sequence faster or slower, which changes its length (T. Ko et al., "Audio augmentation for speech
    recognition", Interspeech 2015). Deviation: of a spectrogram the time alone is changed, not the pitch.

    Args:
        batch: with `sequence` (batch, time, n_channels) and `lengths` (batch,).
        amount: largest change of the length, as a share of it; below 1.
    """
    if not 0 <= amount < 1:
        raise ValueError(f"speed.amount is at least 0 and below 1; got {amount}")
    steps, last = step_numbers(batch)
    lengths = (batch["lengths"] * (1 + amount * uniform(batch))).round().clamp(min=1).long()
    most = int(batch["sequence"].shape[1] * (1 + amount) + 0.5)
    steps = torch.arange(most, device=last.device)[None]
    return resample(batch, steps * last / (lengths[:, None] - 1).clamp(min=1), lengths)


@AUGMENTATIONS.register("time_crop")
def time_crop(batch: Batch, *, smallest: float = 0.8) -> Batch:
    """Keep a random window of each sequence (window slicing, A. Le Guennec et al., "Data augmentation for time series
    classification using convolutional neural networks", 2016). Sequences that all have one length keep it: the window
    is stretched.

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        smallest: smallest window, as a share of a sequence's length.
    """
    if not 0 < smallest <= 1:
        raise ValueError(f"time_crop.smallest is above 0 and at most 1; got {smallest}")
    steps, last = step_numbers(batch)
    start, size = uniform(batch, 2, 1, low=0).unbind(1)
    cut = (last * (1 - smallest) * size).round()  # steps that are left out
    start = (start * (cut + 1)).floor().clamp(max=cut)
    if "lengths" in batch:
        return resample(batch, start + steps, batch["lengths"] - cut[:, 0].long())
    return resample(batch, start + steps * (last - cut) / last.clamp(min=1))


def resample(batch: Batch, positions: Tensor, lengths: Tensor | None = None) -> Batch:
    """Take each step of the sequences from a position in time.

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        positions: in steps (batch, new time); before the first step and after the last one they stand for those.
        lengths: new ones (batch,); None leaves them.

    Raises:
        ValueError: where each step has a target of its own, or the steps that follow are the target.
    """
    check_one_target(batch)
    _, last = step_numbers(batch)
    moved = interpolate(sequence_of(batch), positions.clamp(min=0).minimum(last))
    if "lengths" not in batch:
        return {**batch, "sequence": moved}
    batch = {**batch, "sequence": moved, "lengths": batch["lengths"] if lengths is None else lengths}
    return {**batch, "sequence": torch.where(valid_steps(batch), moved, 0)}


def interpolate(values: Tensor, positions: Tensor) -> Tensor:
    """Interpolate `values` (batch, n, channels) linearly at `positions` (batch, m) from 0 to n - 1; (batch, m,
    channels)."""
    positions = positions.clamp(0, values.shape[1] - 1)
    lower = positions.floor()
    index = lower.long()[:, :, None].expand(-1, -1, values.shape[2])
    below, above = values.gather(1, index), values.gather(1, (index + 1).clamp(max=values.shape[1] - 1))
    share = (positions - lower)[:, :, None].to(values.dtype)
    return torch.where(share > 0, below.lerp(above, share), below)
