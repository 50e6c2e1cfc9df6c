"""The first layer of every model: standardises inputs and target by statistics of the training split."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from zoo.core.spec import DataSpec, Input
from zoo.models.layers import valid_steps


class Preprocess(nn.Module):
    """Standardises each input, and the target if it is a floating value. Images become channels-last in memory, which
    convolutions read fastest.

    Statistics are buffers, fitted once on the training split, so they are saved with the weights.
    """

    def __init__(self, spec: DataSpec):
        super().__init__()
        self.scales = nn.ModuleDict({name: _scale(an_input) for name, an_input in spec.inputs.items()})
        self.target_scale = _scale(spec.target)

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Standardise inputs, each of any shape, which stays."""
        return {name: self.scales[name](_channels_last(value)) for name, value in inputs.items()}

    def scale_target(self, target: Tensor) -> Tensor:
        """Scale the target like the network's output: values (batch, ...) are standardised, NaN where missing; classes
        stay."""
        return self.target_scale.scale(target) if isinstance(self.target_scale, Standardize) else target

    def restore(self, output: Tensor) -> Tensor:
        """Scale the network's output back to the target's units; the shape stays."""
        return self.target_scale.inverse(output) if isinstance(self.target_scale, Standardize) else output

    def fit(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute all statistics in one pass over batches of the training split; padded steps and missing values (NaN)
        are left out."""
        scales = {name: scale for name, scale in self.scales.items() if isinstance(scale, Standardize)}
        if isinstance(self.target_scale, Standardize):
            scales["target"] = self.target_scale
        moments = {name: Moments(scale.n) for name, scale in scales.items()}
        for batch in batches:
            for name, scale in scales.items():
                moments[name].update(scale.entries_last(batch[name], batch.get("lengths")))
        for name, scale in scales.items():
            scale.set(*moments[name].mean_and_std())


def _channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _scale(an_input: Input) -> nn.Module:
    if an_input.scaled_axis is None:
        return nn.Identity()
    n = an_input.shape[an_input.scaled_axis]
    assert n is not None
    dtype = torch.float64 if an_input.dtype == "float64" else torch.float32
    return Standardize(n, len(an_input.shape) - an_input.scaled_axis, dtype)


class Standardize(nn.Module):
    """(x - mean) / std, with a mean and std for each of `n` entries along an axis. A missing value (NaN) becomes 0, the
    mean.

    Args:
        n: entries.
        axis_from_end: 1 for the last axis, 2 for the one before, and so on.
        dtype: of the mean, in which it is subtracted; the result is float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n: int, axis_from_end: int, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.n, self.axis_from_end = n, axis_from_end
        shape = (n,) + (1,) * (axis_from_end - 1)
        self.register_buffer("mean", torch.zeros(shape, dtype=dtype))
        self.register_buffer("std", torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise `x` of any leading shape; integers become floats."""
        scaled = self.scale(x)
        return scaled.nan_to_num(0.0, math.inf, -math.inf) if x.is_floating_point() else scaled

    def scale(self, x: Tensor) -> Tensor:
        """Standardise `x`; missing values stay NaN."""
        return (x.to(self.mean.dtype) - self.mean).to(self.std.dtype).div_(self.std)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo `forward`, in the mean's precision."""
        return x.to(self.mean.dtype) * self.std + self.mean

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Set the statistics, each (n,); an entry with std 0 is only centred."""
        self.mean.copy_(mean.view_as(self.mean))
        self.std.copy_(torch.where(std > 0, std, 1.0).view_as(self.std))

    def entries_last(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Flatten values to (count, n), without the padded steps of sequences (batch, time, n)."""
        if lengths is not None and self.axis_from_end == 1 and x.dim() == 3:
            return x[valid_steps(lengths, x.shape[1])]
        return x.movedim(-self.axis_from_end, -1).reshape(-1, self.n)


class Moments:
    """Mean and standard deviation of a stream of (count, n) batches, in double precision; NaN does not count.

    Differences from a value of the first batch are summed, so that the std of a constant entry is exactly 0.
    """

    def __init__(self, n: int):
        self.count, self.sum, self.square = torch.zeros(3, n, dtype=torch.float64)
        self.origin: Tensor | None = None

    def update(self, x: Tensor) -> None:
        """Add one batch (count, n), with count at least 1."""
        x = x.double().cpu()
        if self.origin is None:
            largest = x.nan_to_num(nan=-math.inf).amax(0)
            self.origin = torch.where(largest.isinf(), 0.0, largest)  # entries without a value
        x = x - self.origin
        self.count += (~x.isnan()).sum(0)
        self.sum += x.nansum(0)
        self.square += x.square().nansum(0)

    def mean_and_std(self) -> tuple[Tensor, Tensor]:
        """Return the mean and the standard deviation so far, each (n,); 0 for an entry without a value."""
        count = self.count.clamp(min=1)
        mean = self.sum / count
        variance = self.square / count - mean.square()
        return mean + (0.0 if self.origin is None else self.origin), variance.clamp(min=0).sqrt()
