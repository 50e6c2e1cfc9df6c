"""MiniRocket: many features of a sequence without training, by 84 fixed filters.

A. Dempster, D. Schmidt, G. Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
classification" (arXiv 2012.08791, section 4); half of the features are those of the differences of consecutive steps,
as in C. W. Tan et al., "MultiRocket" (arXiv 2102.00457, section 3.1). Deviations: every filter reads zeros beyond the
ends, where the paper's do so in half of the cases; thresholds are quantiles over many sequences instead of one for
each; features are numbers of steps, which say how long a sequence is too, instead of shares of it.
"""

import itertools
import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models.layers import valid_steps
from zoo.models.ridge import Ridge, take_sizes_on_load
from zoo.models.row_sample import RowSample

LENGTH, N_TWOS = 9, 3  # of a filter: weights, and those that are 2; the others are -1
N_FILTERS = 84  # the ways to place them
MOST_DILATIONS = 8
N_FITTED = 128  # sequences whose values the thresholds are quantiles of
MOST_VALUES = 2**22  # of these, for each filter
GOLDEN = 0.6180339887498949
ABOVE = 1e-4  # the quantile, as values repeat in a short sequence, and rounding may not decide on which side they are
MOST_FITTED = 2500  # sequences that a regression is fitted to
AT_ONCE = 100  # sequences
FEW = 150  # sequences: with fewer the regression counts three times in four, else as often as the network
MANY = 1000  # sequences: with fewer its logits are
SHARPER = 1.5  # times as large, as a mean of probabilities is less sure than they are (Ranjan, Gneiting 2010)


class RocketRidge(nn.Module):
    """A ridge regression on MiniRocket's features of values and of differences, which are standardised for it; the
    arguments are those of `Rocket` and `Ridge`.

    Attributes:
        counted: (4,), 0 for the network and 1 for this regression: how often each counts among 4.
    """

    counted: Tensor

    def __init__(self, n_channels: int, n_outputs: int, n_features: int):
        super().__init__()
        self.of_values, self.of_differences = (Rocket(n_channels, n_features // 2) for _ in range(2))
        self.ridge = Ridge(n_outputs)
        self.register_buffer("counted", torch.tensor([0, 0, 1, 1]))

    @property
    def is_fitted(self) -> bool:
        """Whether there are weights."""
        return self.ridge.is_fitted

    def forward(self, sequence: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute outputs (batch, n_outputs) of sequences (batch, time, n_channels) of these lengths (batch,)."""
        lengths = lengths_of(sequence, lengths)
        return self.ridge(self._features(sequence * valid_steps(lengths, sequence.shape[1])[:, :, None], lengths))

    def fit(self, sequence: Tensor, lengths: Tensor, target: Tensor) -> None:
        """Fit to sequences (n, time, n_channels), 0 after their lengths (n,), and targets as the loss sees them."""
        self.of_values.fit(sequence, lengths)
        self.of_differences.fit(differences(sequence, lengths), lengths)
        parts = zip(sequence.split(AT_ONCE), lengths.split(AT_ONCE), strict=True)
        features = torch.cat([self._features(*part) for part in parts])
        scale = features.std(0, correction=0)
        scale[scale == 0] = torch.inf  # what never varied has no weight
        self.ridge.fit(features / scale, target)
        if self.is_fitted:
            self.ridge.weight /= scale[:, None]
        n_of_classes = math.inf if target.is_floating_point() else len(target)
        self.counted[1] = n_of_classes < FEW
        if n_of_classes < MANY:
            self.ridge.weight *= SHARPER
            self.ridge.bias *= SHARPER

    def _features(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        parts = self.of_values(sequence, lengths), self.of_differences(differences(sequence, lengths), lengths)
        return torch.cat(parts, 1)


class Rocket(nn.Module):
    """The number of steps at which each filter is above each of its thresholds.

    Args:
        n_channels: values at each step.
        n_features: about how many; fewer for lack of length, as the dilations reach over a sequence at most.
    """

    dilations: Tensor
    channels: Tensor
    thresholds: Tensor
    filters: Tensor

    def __init__(self, n_channels: int, n_features: int):
        super().__init__()
        self.n_channels, self.n_features = n_channels, n_features
        patterns = torch.full((N_FILTERS, LENGTH), -1.0)
        for pattern, places in zip(patterns, itertools.combinations(range(LENGTH), N_TWOS), strict=True):
            pattern[list(places)] = 2.0
        self.register_buffer("filters", patterns, persistent=False)
        self.register_buffer("dilations", torch.ones(1, dtype=torch.int64))
        self.register_buffer("channels", torch.ones(1, N_FILTERS, n_channels, dtype=torch.uint8))  # read by each
        self.register_buffer("thresholds", torch.zeros(1, N_FILTERS, 1))
        take_sizes_on_load(self, ["dilations", "channels", "thresholds"])

    @torch.no_grad()
    def fit(self, sequence: Tensor, lengths: Tensor) -> None:
        """Choose dilations and channels by the lengths (n,) of sequences (n, time, n_channels), and thresholds by their
        values."""
        longest = int(lengths.float().quantile(0.95))
        most = max(longest - 1, LENGTH - 1) / (LENGTH - 1)  # reaches from end to end
        n = min(MOST_DILATIONS, 1 + int(torch.tensor(most).log2()))
        self.dilations = torch.logspace(0, float(torch.tensor(most).log2()), n, base=2).floor().long().unique()
        generator = torch.Generator().manual_seed(0)
        self.channels = torch.stack([self._draw_channels(generator) for _ in self.dilations])
        n_thresholds = max(1, self.n_features // (N_FILTERS * len(self.dilations)))
        self.thresholds = torch.zeros(len(self.dilations), N_FILTERS, n_thresholds)
        some = torch.randperm(len(sequence), generator=generator)[:N_FITTED]
        shares = (torch.arange(1, n_thresholds + 1) * GOLDEN) % 1  # spread evenly over 0 to 1
        valid = valid_steps(lengths[some], sequence.shape[1])
        for index in range(len(self.dilations)):
            values = self._filter(sequence[some], index).mT[valid]  # (steps of all, 84)
            values = values[:: max(1, values.numel() // MOST_VALUES)]
            self.thresholds[index] = values.quantile(shares, 0).T + ABOVE

    def _draw_channels(self, generator: torch.Generator) -> Tensor:
        """Which channels each filter adds up, (84, n_channels): any number up to 9, small ones most often."""
        chosen = torch.zeros(N_FILTERS, self.n_channels, dtype=torch.uint8)
        exponents = torch.rand(N_FILTERS, generator=generator) * torch.tensor(min(self.n_channels, 9) + 1.0).log2()
        for row, n in zip(chosen, (2**exponents).long().clamp(max=self.n_channels).tolist(), strict=True):
            row[torch.randperm(self.n_channels, generator=generator)[:n]] = 1
        return chosen

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Compute features (batch, n_dilations x 84 x n_thresholds) of sequences (batch, time, n_channels), which are 0
        after their lengths (batch,)."""
        valid = valid_steps(lengths, sequence.shape[1])[:, None]  # (batch, 1, time)
        counts = []
        for index in range(len(self.dilations)):
            values = self._filter(sequence, index)
            for threshold in self.thresholds[index].T:  # (84,)
                counts.append(((values > threshold[:, None]) & valid).sum(2))
        return torch.cat(counts, 1).float()

    def _filter(self, sequence: Tensor, index: int) -> Tensor:
        """The values of each filter at each step with the dilation of an index, (batch, 84, time), in float32."""
        dilation = int(self.dilations[index])
        weight = self.filters[:, None] * self.channels[index][:, :, None]  # (84, n_channels, 9)
        with torch.autocast(sequence.device.type, enabled=False):
            return F.conv1d(sequence.float().mT, weight, padding=dilation * (LENGTH // 2), dilation=dilation)


def differences(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each step less the one before it, 0 at the first and after the lengths (batch,), of sequences (batch, time,
    n_channels)."""
    steps = F.pad(sequence.diff(dim=1), (0, 0, 1, 0))
    return steps * valid_steps(lengths, sequence.shape[1])[:, :, None]


def lengths_of(sequence: Tensor, lengths: Tensor | None) -> Tensor:
    """The lengths (batch,) of sequences (batch, time, ...), which are whole where none are given."""
    if lengths is not None:
        return lengths
    return torch.full((len(sequence),), sequence.shape[1], device=sequence.device)


def read_sample(inputs: Iterable[Mapping[str, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Read some sequences (n, time, n_channels), 0 after their lengths, these (n,), and their targets, of batches of
    `sequence`, perhaps `lengths`, and `target`."""
    sample = RowSample(MOST_FITTED)
    for batch in inputs:
        sample.update(batch["sequence"], lengths_of(batch["sequence"], batch.get("lengths")), batch["target"])
    sequence, lengths, target = sample.rows()
    return sequence.float() * valid_steps(lengths, sequence.shape[1])[:, :, None], lengths, target
