"""InceptionTime: one-dimensional convolutions of three lengths side by side, on whole sequences.

H. Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series classification" (arXiv 1909.04939, section 3),
with the sizes of the authors' code.
Deviations: filters of 39, 19 and 9 steps instead of 40, 20 and 10, so that each is centred; sequences of any lengths,
whose padding is masked in convolutions, BatchNorm and pooling; one network, where the paper averages five
(zoo ensemble does that).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive
from zoo.models.layers import Network, valid_steps

SHORTCUT_EVERY = 3  # modules


@MODELS.register("cnn/inception_time")
class InceptionTime(Network):
    """Inception modules with a shortcut over every three, the mean over the valid steps, and a linear output.

    Args:
        n_channels: values at each step.
        n_outputs: outputs.
        per_step: whether each step has a target, which this network refuses: its filters see later steps.
        width: filters of each of a module's four branches, and of the bottleneck before them. 32 in the paper.
        depth: modules. 6 in the paper.
        kernel: steps that the longest filters cover, odd; the others cover a half and a quarter.
    """

    def __init__(
        self, *, n_channels: int, n_outputs: int, per_step: bool, width: int = 32, depth: int = 6, kernel: int = 39
    ):
        super().__init__()
        check_positive(width=width, depth=depth)
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel is odd, such as 39; got {kernel}")
        if per_step:
            raise ValueError("gives one output for a sequence, and here each step has a target; take model=rnn")
        d_features = 4 * width
        widths = [n_channels] + [d_features] * depth
        self.inceptions = nn.ModuleList(Inception(c_in, width, kernel) for c_in in widths[:-1])
        self.shortcuts = nn.ModuleList(
            Shortcut(c_in, d_features) for c_in in widths[: depth - depth % SHORTCUT_EVERY : SHORTCUT_EVERY]
        )
        self.head = nn.Linear(d_features, n_outputs)

    def features(self, sequence: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The mean over the valid steps of the last maps, (batch, 4 width).

        Args:
            sequence: (batch, time, n_channels), padded at the end.
            lengths: valid steps of each sequence, (batch,), at least 1; None where all steps are.
        """
        valid = None if lengths is None else valid_steps(lengths, sequence.shape[1])[:, None]  # (batch, 1, time)
        x = shortcut_from = masked(sequence.transpose(1, 2), valid)  # (batch, n_channels, time)
        for number, inception in enumerate(self.inceptions, 1):
            x = inception(x, valid)  # (batch, 4 width, time)
            if number % SHORTCUT_EVERY == 0:
                shortcut = self.shortcuts[number // SHORTCUT_EVERY - 1]
                x = shortcut_from = masked((x + shortcut(shortcut_from, valid)).relu(), valid)
        return x.mean(2) if lengths is None else x.sum(2) / lengths[:, None]


class Inception(nn.Module):
    """Convolutions of three lengths and a maximum over three steps, side by side, then BatchNorm and ReLU.

    (batch, c_in, time) to (batch, 4 width, time). Padded steps are 0 in the input and in the output.
    """

    def __init__(self, c_in: int, width: int, kernel: int):
        super().__init__()
        narrow = c_in > width
        c_narrow = width if narrow else c_in
        kernels = [kernel, kernel // 2 | 1, kernel // 4 | 1]  # odd
        self.bottleneck = convolution(c_in, width) if narrow else nn.Identity()
        self.convolutions = nn.ModuleList(convolution(c_narrow, width, size) for size in kernels)
        self.after_maximum = convolution(c_in, width)
        self.norm = MaskedBatchNorm(4 * width)

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """The maps of all branches, under a mask (batch, 1, time) of the valid steps."""
        narrow = self.bottleneck(x)
        maximum = F.max_pool1d(masked(x, valid, -torch.inf), 3, stride=1, padding=1)
        branches = [convolve(narrow) for convolve in self.convolutions]
        branches.append(self.after_maximum(masked(maximum, valid)))
        return masked(self.norm(torch.cat(branches, 1), valid).relu(), valid)


class Shortcut(nn.Module):
    """A convolution over single steps and BatchNorm: (batch, c_in, time) to (batch, c_out, time)."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.convolution, self.norm = convolution(c_in, c_out), MaskedBatchNorm(c_out)

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """The maps to add, under a mask (batch, 1, time) of the valid steps."""
        return self.norm(self.convolution(x), valid)


class MaskedBatchNorm(nn.BatchNorm1d):
    """BatchNorm1d with statistics of the valid steps only."""

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Normalise x (batch, c, time) under a mask (batch, 1, time); padded steps come out finite, but arbitrary."""
        if valid is None or not self.training:
            return super().forward(x)
        n = valid.sum()
        values = x.float()
        mean = masked(values, valid).sum((0, 2)) / n  # (c,)
        centred = values - mean[:, None]
        variance = masked(centred, valid).square().sum((0, 2)) / n
        self._track(mean.detach(), (variance * n / (n - 1).clamp(min=1)).detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None] + self.bias[:, None]).to(x.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum and self.running_mean is not None and self.running_var is not None
        for running, value in ((self.running_mean, mean), (self.running_var, variance)):
            running.mul_(1 - self.momentum).add_(value * self.momentum)


def convolution(c_in: int, c_out: int, kernel: int = 1) -> nn.Conv1d:
    """A convolution without bias, padded to keep the steps: (batch, c_in, time) to (batch, c_out, time)."""
    return nn.Conv1d(c_in, c_out, kernel, padding=kernel // 2, bias=False)


def masked(x: Tensor, valid: Tensor | None, fill: float = 0.0) -> Tensor:
    """x (batch, c, time) with padded steps filled, by a mask (batch, 1, time) of the valid ones; None is all."""
    return x if valid is None else x.masked_fill(~valid, fill)
