"""A model as it is trained, saved and loaded: preprocessing, network, and the target's scale."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.spec import DataSpec
from zoo.models.layers import Network, Preprocess


class Model(nn.Module):
    """Raw input in, answer out: `preprocess`, then `network`, then the target's own units.

    Called with the data set's inputs by name, each (batch, ...), it gives logits (batch, n_classes), one for each step
    (batch, time, n_classes) where each step has a target, or values in the target's units (batch, *target's shape).
    """

    n_models = 1

    def __init__(self, spec: DataSpec, network: Network):
        super().__init__()
        self.preprocess = Preprocess(spec)
        self.network = network.to(memory_format=torch.channels_last)  # as images come from `preprocess`
        self._value_shape = spec.target.shape if spec.target.is_floating else None

    def fit(self, values: Iterable[Mapping[str, Tensor]], samples: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the preprocessing, then what of the network is computed rather than learned, to the training split.

        Args:
            values: batches that hold each of its values once, for the preprocessing.
            samples: its batches in order, for the network, which takes as many as it needs.
        """
        self.preprocess.fit(values)
        names = list(self.preprocess.scales)
        self.network.fit(self.preprocess({name: batch[name] for name in names}) for batch in samples)

    def forward(self, **inputs: Tensor) -> Tensor:
        """Outputs in the target's units."""
        return self.preprocess.restore(self.scaled(**inputs))

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Outputs on the scale the loss is computed on."""
        return self._shaped(self.network(**self.preprocess(inputs)))

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """What `scaled` gives, and the state from which the next batch goes on; see `Network.carry`."""
        output, state = self.network.carry(state, **self.preprocess(inputs))
        return self._shaped(output), state

    def features(self, **inputs: Tensor) -> Tensor:
        """The network's last hidden representation, (batch, d_features)."""
        return self.network.features(**self.preprocess(inputs))

    def step(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """One time step of a recurrent network.

        Args:
            state: what the step before returned; None at the start.
            inputs: the step's raw `sequence` (batch, n_channels) or `tokens` (batch,).

        Returns:
            The output as if the sequence ended here, and the state for the next step.
        """
        output, state = self.network.step(state, **self.preprocess(inputs))
        return self.preprocess.restore(self._shaped(output)), state

    def clip_gradient(self, largest: float) -> None:
        """Scale the whole gradient down to the norm `largest`, where it is larger."""
        nn.utils.clip_grad_norm_(self.parameters(), largest)

    def state_of(self, index: int) -> dict[str, Tensor]:
        """The state, as of the only model; see `Stacked.state_of`."""
        return self.state_dict()

    def _shaped(self, output: Tensor) -> Tensor:
        return output if self._value_shape is None else output.view(len(output), *self._value_shape)  # type: ignore[arg-type]
