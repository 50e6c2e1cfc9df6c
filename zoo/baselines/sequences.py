"""A baseline on sequences: a linear model of what random convolutions find.

MiniRocket (A. Dempster, D. F. Schmidt, G. I. Webb, arXiv 2012.08791, section 3), in torch, as the one in aeon compiles
for 40 seconds. The 84 kernels have six weights of -1 and three of 2; a feature is the share of steps at which a
kernel's output exceeds a bias. Unlike there, long sequences are averaged to at most 128 steps, dilations are powers of
2, sequences are padded by zeros but only their own steps count, there are 1,000 features rather than 10,000, and seven
kernels each read the sum of some channels.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.baselines import BASELINES
from zoo.baselines._estimators import fit_linear
from zoo.core.spec import DataSpec
from zoo.models.layers import valid_steps
from zoo.models.moments import Moments

LENGTH, N_KERNELS, N_SUMS = 9, 84, 12
N_FEATURES, MOST_STEPS = 1000, 128
READ = 2**21  # values of a convolution at once
DECAY = 10.0


@BASELINES.register("classification/MiniRocket")
@BASELINES.register("multi_label/MiniRocket")
@BASELINES.register("regression/MiniRocket")
def mini_rocket(
    spec: DataSpec, target: Tensor, sequence: Tensor, lengths: Tensor | None = None
) -> Callable[..., Tensor]:
    """A linear model of the shares of steps at which convolutions exceed biases."""
    width = -(-sequence.shape[1] // MOST_STEPS)  # of what is averaged
    kernels = Kernels(*_shortened(sequence, lengths, width))

    def matrix(sequence: Tensor, lengths: Tensor | None = None) -> np.ndarray:
        return kernels.features(*_shortened(sequence, lengths, width)).numpy()

    predict = fit_linear(spec, target, matrix(sequence, lengths), decay=DECAY)
    return lambda **inputs: predict(matrix(**inputs))


class Kernels:
    """Convolutions at several dilations, and the biases of each.

    Args:
        sequence: of the training split (n, time, n_channels).
        lengths: of the sequences (n,).
    """

    def __init__(self, sequence: Tensor, lengths: Tensor):
        moments = Moments(sequence.shape[2])
        moments.update(sequence[valid_steps(lengths, sequence.shape[1])])
        self.mean, self.std = moments.mean_and_std()
        places = torch.tensor(list(itertools.combinations(range(LENGTH), 3)))
        self.weights = torch.full((N_KERNELS, 1, LENGTH), -1.0).scatter(2, places[:, None], 2.0)
        self.dilations = [2**i for i in range(max(1, int(lengths.max() - 1) // (LENGTH - 1)).bit_length())]
        generator = torch.Generator().manual_seed(0)
        self.sums = [_channel_sums(sequence.shape[2], generator) for _ in self.dilations]
        n_biases = max(1, round(N_FEATURES / N_KERNELS / len(self.dilations)))
        levels = (torch.arange(N_KERNELS * n_biases) * (5**0.5 + 1) / 2 % 1).view(N_KERNELS, n_biases)
        chosen = torch.randint(len(sequence), (N_KERNELS,), generator=generator)  # a sequence for each kernel
        outputs = self._outputs(sequence[chosen], lengths[chosen])
        self.biases = [_quantiles(output, lengths[chosen], levels) for output in outputs]

    def features(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Compute features (n, n_features)."""
        n = max(1, READ // (N_KERNELS * sequence.shape[1]))
        parts = zip(sequence.split(n), lengths.split(n), strict=True)
        return torch.cat([self._features(*part) for part in parts])

    def _features(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        n_steps = sequence.shape[1]
        padded = ~valid_steps(lengths, n_steps)[:, None]  # (n, 1, time)
        shares = []
        for output, biases in zip(self._outputs(sequence, lengths), self.biases, strict=True):
            output = output.masked_fill(padded, -torch.inf)
            n_above = [(n_steps + (output - bias[:, None]).sign().sum(2)) / 2 for bias in biases.T]
            shares += [n / lengths[:, None] for n in n_above]
        return torch.cat(shares, dim=1)

    def _outputs(self, sequence: Tensor, lengths: Tensor) -> Iterator[Tensor]:
        """Yield the convolutions (n, N_KERNELS, time) at each dilation."""
        scaled = ((sequence - self.mean) / self.std.clamp(min=1e-12)).float().nan_to_num()
        scaled = scaled * valid_steps(lengths, sequence.shape[1])[..., None]
        for sums, dilation in zip(self.sums, self.dilations, strict=True):
            padding = dilation * (LENGTH // 2)
            yield F.conv1d((scaled @ sums).mT, self.weights, padding=padding, dilation=dilation, groups=N_SUMS)


def _channel_sums(n_channels: int, generator: torch.Generator) -> Tensor:
    """Choose random subsets of at most nine channels, as columns of 0 and 1 (n_channels, N_SUMS)."""
    largest = torch.tensor(min(n_channels, LENGTH) + 1.0)
    sizes = (largest ** torch.rand(N_SUMS, generator=generator)).long()  # from 1
    ranks = torch.rand(n_channels, N_SUMS, generator=generator).argsort(0).argsort(0)
    return (ranks < sizes).float()


def _quantiles(output: Tensor, lengths: Tensor, levels: Tensor) -> Tensor:
    """Biases (N_KERNELS, n_biases): quantiles at `levels` of each kernel's output for the sequence of its number.

    Args:
        output: (N_KERNELS, N_KERNELS, time).
        lengths: of the sequences (N_KERNELS,).
        levels: (N_KERNELS, n_biases).
    """
    own = zip(output[range(N_KERNELS), range(N_KERNELS)], lengths.tolist(), levels, strict=True)
    return torch.stack([values[:length].quantile(level) for values, length, level in own])


def _shortened(sequence: Tensor, lengths: Tensor | None, width: int) -> tuple[Tensor, Tensor]:
    """Average each `width` steps of sequences (n, time, n_channels) to one; also return the lengths (n,)."""
    if lengths is None:
        lengths = torch.full((len(sequence),), sequence.shape[1])
    if width == 1:
        return sequence, lengths
    means = F.avg_pool1d(sequence.float().mT, width, ceil_mode=True).mT
    return means, (lengths / width).ceil().long()
