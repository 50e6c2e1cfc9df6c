"""Change the values of sequences: jitter, scale, mask. Padding is not changed.

Masked values are missing (NaN), which every model reads as the training split's mean.
"""

import torch
from torch import Tensor

from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.augment.sequence_batch import check_one_target, sequence_of, step_numbers, uniform, valid_steps
from zoo.data.splits import Batch


@AUGMENTATIONS.register("jitter")
def jitter(batch: Batch, *, std: float = 0.05) -> Batch:
    """Add Gaussian noise to sequences whose units are unknown, as `noise` does in known units (T. Um et al., arXiv
    1706.00527, section 3).

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        std: of the noise, as a share of the standard deviation of a channel within its sequence.
    """
    sequence = sequence_of(batch)
    deviations = _less_mean(batch).square()
    n = deviations.isnan().logical_not().sum(1, keepdim=True).clamp(min=1)
    spread = (deviations.nansum(1, keepdim=True) / n).sqrt()  # (batch, 1, n_channels)
    return {**batch, "sequence": sequence + std * spread * torch.randn_like(sequence) * valid_steps(batch)}


@AUGMENTATIONS.register("scale")
def scale(batch: Batch, *, amount: float = 0.1) -> Batch:
    """Scale the amplitude of each channel of a sequence, about its mean, by a random factor (T. Um et al., arXiv
    1706.00527, section 3). Deviation: about the mean, which stays, not about 0.

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        amount: largest difference of the factor from 1.
    """
    check_one_target(batch)
    sequence, change = sequence_of(batch), amount * uniform(batch, 1, batch["sequence"].shape[2])
    return {**batch, "sequence": sequence + torch.where(valid_steps(batch), change * _less_mean(batch), 0)}


@AUGMENTATIONS.register("mask")
def mask(batch: Batch, *, steps: float = 0.1, n_spans: int = 1, channels: float = 0.0) -> Batch:
    """Mask spans of steps, and whole channels, of each sequence.

    Args:
        batch: with `sequence` (batch, time, n_channels), perhaps with `lengths` (batch,).
        steps: largest length of a span, as a share of a sequence's length.
        n_spans: of each sequence.
        channels: probability of each channel.
    """
    chosen = uniform(batch, 1, batch["sequence"].shape[2], low=0) < channels
    return _mask(batch, _time_spans(batch, steps, n_spans) | chosen)


@AUGMENTATIONS.register("spec_augment")
def spec_augment(batch: Batch, *, time: float = 0.2, n_times: int = 2, bands: float = 0.2, n_bands: int = 2) -> Batch:
    """Mask spans of steps and of neighbouring bands of each spectrogram (SpecAugment, D. Park et al., arXiv 1904.08779,
    section 2). Deviations: time is not warped, which `time_warp` does; spans are limited by shares of the lengths
    alone. The defaults are those of table 1 (SM) as shares.

    Args:
        batch: with `sequence` (batch, time, n_bands), perhaps with `lengths` (batch,).
        time: largest length of a span of steps, as a share of a sequence's length.
        n_times: spans of steps.
        bands: largest width of a span of bands, as a share of all.
        n_bands: spans of bands.
    """
    size = batch["sequence"].shape[2]
    places = torch.arange(size, device=batch["sequence"].device)
    ends = torch.full((len(batch["sequence"]), 1), size, device=places.device)
    chosen = _spans(places, ends, bands, n_bands)[:, None]  # (batch, 1, n_bands)
    return _mask(batch, _time_spans(batch, time, n_times) | chosen)


def _time_spans(batch: Batch, share: float, n: int) -> Tensor:
    steps, last = step_numbers(batch)
    return _spans(steps[0], last + 1, share, n)[:, :, None]  # (batch, time, 1)


def _spans(places: Tensor, ends: Tensor, share: float, n: int) -> Tensor:
    """A mask (batch, places) of `n` spans in each row of random places, which lie before its end; each has a random
    length up to `share` of it."""
    if not 0 <= share <= 1 or n < 0:
        raise ValueError(f"a span is a share from 0 to 1, and there are 0 or more of them; got {share} and {n}")
    length, start = torch.rand(2, len(ends), n, device=ends.device)
    most = (share * ends).floor()
    length = (length * (most + 1)).floor().minimum(most)  # (batch, n)
    start = (start * (ends - length + 1)).floor()
    inside = (places[:, None] >= start[:, None]) & (places[:, None] < (start + length)[:, None])  # (batch, places, n)
    return inside.any(2)


def _mask(batch: Batch, chosen: Tensor) -> Batch:
    """Let the values that are `chosen` (batch, time, n_channels) be missing; padding stays."""
    return {**batch, "sequence": sequence_of(batch).masked_fill(chosen & valid_steps(batch), torch.nan)}


def _less_mean(batch: Batch) -> Tensor:
    """The values less the mean of their channel within the sequence, NaN where they are missing or padding."""
    values = sequence_of(batch).masked_fill(~valid_steps(batch), torch.nan)
    return values - values.nanmean(1, keepdim=True)
