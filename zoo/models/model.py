"""A model as it is trained, saved and loaded: preprocessing, network, and the target's scale."""

from typing import Any

from torch import Tensor, nn

from zoo.models.layers import Network, Preprocess
from zoo.spec import DataSpec


class Model(nn.Module):
    """Raw input in, answer out: `preprocess`, then `network`, then the target's own units.

    Called with the data set's inputs by name, each (batch, ...), it gives logits (batch, n_classes) or values in the
    target's units (batch, n_outputs).
    """

    def __init__(self, spec: DataSpec, network: Network):
        super().__init__()
        self.preprocess = Preprocess(spec)
        self.network = network

    def forward(self, **inputs: Tensor) -> Tensor:
        """Outputs in the target's units, (batch, n_outputs)."""
        return self.preprocess.restore(self.scaled(**inputs))

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Outputs on the scale the loss is computed on, (batch, n_outputs)."""
        return self.network(**self.preprocess(inputs))

    def features(self, **inputs: Tensor) -> Tensor:
        """The network's last hidden representation, (batch, d_features)."""
        return self.network.features(**self.preprocess(inputs))

    def step(self, sequence: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """One time step of a recurrent network.

        Args:
            sequence: the step's raw values, (batch, n_channels).
            state: what the step before returned; None at the start.

        Returns:
            The output as if the sequence ended here, (batch, n_outputs), and the state for the next step.
        """
        output, state = self.network.step(self.preprocess({"sequence": sequence})["sequence"], state)
        return self.preprocess.restore(output), state
