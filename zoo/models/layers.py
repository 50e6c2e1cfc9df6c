"""What several families share: the base of all networks, activations, normalisation, and the fitted first layer."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.core.spec import DataSpec, Input

ACTIVATIONS: Registry[type[nn.Module]] = Registry("activation", "ACTIVATIONS")
for _name, _activation in {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
}.items():
    ACTIVATIONS.register(_name)(_activation)

NORMS_1D: Registry[type[nn.Module]] = Registry("norm", "NORMS_1D")
for _name, _norm in {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}.items():
    NORMS_1D.register(_name)(_norm)


class Network(nn.Module):
    """Base of every architecture.

    A subclass takes keyword-only arguments: the data's sizes, which have no default and are named as in
    `DataSpec.sizes`, and its own choices, which all have one. It defines `features`, whose parameters name the inputs
    it takes, and `head`, which turns the features (batch, d_features) into outputs (batch, n_outputs).
    """

    features: Callable[..., Tensor]
    head: nn.Module

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Set what is computed from training data before the first step rather than learned; nothing, for most.

        Args:
            inputs: batches of standardised inputs by name, each (batch, ...), in the training split's order.
        """

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Logits or standardised values, (batch, n_outputs)."""
        return self.head(self.features(*args, **inputs))

    def step(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """One time step, for networks that have them; see `Recurrent.step`."""
        raise UserError(f"{type(self).__name__} reads its whole input at once and has no steps")

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """`forward`, and what the next batch of an evaluation goes on from: nothing, where samples stand alone."""
        return self(**inputs), state

    @classmethod
    def inputs(cls) -> dict[str, bool]:
        """Names of the inputs the network takes, and whether it needs each."""
        parameters = list(inspect.signature(cls.features).parameters.values())[1:]
        return {parameter.name: parameter.default is inspect.Parameter.empty for parameter in parameters}

    @classmethod
    def required_sizes(cls) -> list[str]:
        """The data sizes the constructor asks for."""
        return [name for name, default in _constructor(cls).items() if default is inspect.Parameter.empty]

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The architecture's own choices with their defaults."""
        return {name: value for name, value in _constructor(cls).items() if value is not inspect.Parameter.empty}


def _constructor(cls: type) -> dict[str, Any]:
    parameters = inspect.signature(cls).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


class OneHot(nn.Module):
    """Integer codes as vectors of zeros and a one for each code; code 0, a value never seen in training, is all zeros.

    Args:
        cardinalities: how many values each code of the last axis can take; none of them makes an empty vector.
    """

    offsets: Tensor

    def __init__(self, cardinalities: Sequence[int]):
        super().__init__()
        self.width = sum(cardinalities) - len(cardinalities)
        ends = torch.tensor([0, *cardinalities]).sub(1).clamp(min=0).cumsum(0)[: len(cardinalities)]
        self.register_buffer("offsets", ends, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Vectors (..., width) of codes (..., n_codes)."""
        places = torch.where(codes > 0, codes + self.offsets, 0)  # place 0 is cut off again
        ones = torch.zeros(*codes.shape[:-1], self.width + 1, device=codes.device)
        return ones.scatter(-1, places, 1.0)[..., 1:]


def join(values: Tensor | None, ones: Tensor | None) -> Tensor:
    """Numbers and one-hot vectors, where there are both, side by side along the last axis."""
    parts = [part for part in (values, ones) if part is not None]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class Preprocess(nn.Module):
    """The model's first layer: standardises each input, and the target where that is a floating value. Images come out
    with the channels last in memory, which convolutions read fastest.

    Statistics are buffers, fitted once on the training split, so they travel with the weights.
    """

    def __init__(self, spec: DataSpec):
        super().__init__()
        self.scales = nn.ModuleDict({name: _scale(an_input) for name, an_input in spec.inputs.items()})
        self.target_scale = _scale(spec.target)

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Standardised inputs, each of the shape it came in."""
        return {name: self.scales[name](_channels_last(value)) for name, value in inputs.items()}

    def scale_target(self, target: Tensor) -> Tensor:
        """The target as the network should give it: values (batch, ...) standardised, NaN where there is none, or
        classes as they are."""
        return self.target_scale.scale(target) if isinstance(self.target_scale, Standardize) else target

    def restore(self, output: Tensor) -> Tensor:
        """The network's output in the target's own units, of the shape it came in."""
        return self.target_scale.inverse(output) if isinstance(self.target_scale, Standardize) else output

    def fit(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Set all statistics from one pass over the training split's batches. Padded steps and missing values (NaN) do
        not count."""
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
    """(x - mean) / std with one pair for each of `n` entries along the axis `axis_from_end` places from the end. A
    missing value (NaN) becomes 0, the mean. The mean is taken off in its own `dtype`, and differences are float32."""

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
        """What `forward` gives, but with missing values left as NaN."""
        return (x.to(self.mean.dtype) - self.mean).to(self.std.dtype).div_(self.std)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo `forward`, in the mean's precision."""
        return x.to(self.mean.dtype) * self.std + self.mean

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Set the statistics, each (n,); a constant entry (std 0) is only centred."""
        self.mean.copy_(mean.view_as(self.mean))
        self.std.copy_(torch.where(std > 0, std, 1.0).view_as(self.std))

    def entries_last(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """All values as (count, n), less the padded steps of sequences (batch, time, n)."""
        if lengths is not None and self.axis_from_end == 1 and x.dim() == 3:
            return x[valid_steps(lengths, x.shape[1])]
        return x.movedim(-self.axis_from_end, -1).reshape(-1, self.n)


class Moments:
    """Mean and standard deviation of a stream of (count, n) batches, in double precision; NaN does not count.

    Sums are of differences from a value of the first batch, so those of a constant entry are exactly 0.
    """

    def __init__(self, n: int):
        self.count, self.sum, self.square = torch.zeros(3, n, dtype=torch.float64)
        self.origin: Tensor | None = None

    def update(self, x: Tensor) -> None:
        """Take in one batch (count, n), count at least 1."""
        x = x.double().cpu()
        if self.origin is None:
            largest = x.nan_to_num(nan=-math.inf).amax(0)
            self.origin = torch.where(largest.isinf(), 0.0, largest)  # an entry without a value has none
        x = x - self.origin
        self.count += (~x.isnan()).sum(0)
        self.sum += x.nansum(0)
        self.square += x.square().nansum(0)

    def mean_and_std(self) -> tuple[Tensor, Tensor]:
        """Each (n,), of all rows so far; 0 for an entry without a value."""
        count = self.count.clamp(min=1)
        mean = self.sum / count
        variance = self.square / count - mean.square()
        return mean + (0.0 if self.origin is None else self.origin), variance.clamp(min=0).sqrt()


def valid_steps(lengths: Tensor, n_steps: int) -> Tensor:
    """Mask (batch, n_steps) that is True where a step is data and False where it is padding."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]
