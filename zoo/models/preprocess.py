"""The first layer of every model: scales inputs and target by statistics of the training split."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from zoo.core.spec import DataSpec, Input
from zoo.models.scaling import SCALINGS, Scale, Standardize


class Preprocess(nn.Module):
    """Scales each input, and standardises the target if it is a floating value. Images become channels-last in memory,
    which convolutions read fastest.

    Statistics are buffers, fitted once on the training split, so they are saved with the weights.

    Args:
        spec: of the data.
        scaling: of inputs: a name of `zoo.models.scaling.SCALINGS`.
    """

    def __init__(self, spec: DataSpec, scaling: str = "standard"):
        super().__init__()
        scale = SCALINGS.get(scaling)
        self.scales = nn.ModuleDict({name: _scale(an_input, scale) for name, an_input in spec.inputs.items()})
        self.target_scale = _scale(spec.target, Standardize)

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Scale inputs, each of any shape, which stays."""
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
        scales = {name: scale for name, scale in self.scales.items() if isinstance(scale, Scale)}
        if isinstance(self.target_scale, Scale):
            scales["target"] = self.target_scale
        statistics = {name: scale.statistics() for name, scale in scales.items()}
        for batch in batches:
            for name, scale in scales.items():
                statistics[name].update(scale.entries_last(batch[name], batch.get("lengths")))
        for name, scale in scales.items():
            scale.set(statistics[name])


def _channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _scale(an_input: Input, scale: type[Scale]) -> nn.Module:
    if an_input.scaled_axis is None:
        return nn.Identity()
    n = an_input.shape[an_input.scaled_axis]
    assert n is not None
    dtype = torch.float64 if an_input.dtype == "float64" else torch.float32
    return scale(n, len(an_input.shape) - an_input.scaled_axis, dtype)
