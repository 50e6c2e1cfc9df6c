"""A model as it is trained, saved and loaded: preprocessing, network, and the scale of the target."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.spec import DataSpec
from zoo.models.layers import Network
from zoo.models.preprocess import Preprocess


class Model(nn.Module):
    """Preprocessing, then the network, then the target's own units: raw input in, answer out.

    Called with the data set's inputs by name, each (batch, ...), it gives logits (batch, n_classes), one for each step
    (batch, time, n_classes) where each step has a target, or values in the target's units (batch, *target's shape).

    Args:
        spec: of the data.
        network: for this data.
        combine: maps the outputs in the target's units of a network's members (n_members, batch, ...) to one output
            (batch, ...), as the task does.

    Attributes:
        temperature: divides logits, see `zoo.tasks.temperature`; 1 but for a model that was calibrated after training.
    """

    temperature = 1.0

    def __init__(self, spec: DataSpec, network: Network, *, combine: Callable[[Tensor], Tensor]):
        super().__init__()
        self.preprocess = Preprocess(spec, network.scaling)
        self.network = network.to(memory_format=torch.channels_last)  # like images from `preprocess`
        self.n_members, self.factors, self.combine = network.n_members, network.factors, combine
        numbers = (spec.n_per_value,) if spec.n_per_value > 1 else ()
        shape = [-1 if size is None else size for size in spec.target.shape]
        self._value_shape = (*numbers, *shape) if spec.target.is_floating else None
        self._rises = spec.n_per_value > 1

    def fit(self, values: Iterable[Mapping[str, Tensor]], samples: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the preprocessing to the training split, then what the network computes rather than learns.

        Args:
            values: batches that hold each value once, for the preprocessing.
            samples: batches in order, with their target, for the network, which reads as many as it needs.
        """
        self.preprocess.fit(values)
        self.network.fit(ScaledBatches(self.preprocess, samples))

    def correct(self, samples: Iterable[Mapping[str, Tensor]]) -> float:
        """Fit the network's correction, if it has one, by samples of the validation split; see `Network.correct`."""
        return self.network.correct(ScaledBatches(self.preprocess, samples))

    def refit(self, samples: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute anew what the network takes from the training data, as the present preprocessing scales them."""
        self.network.refit(ScaledBatches(self.preprocess, samples))

    def forward(self, **inputs: Tensor) -> Tensor:
        """Compute outputs in the target's units."""
        return self.restore(self.scaled(**inputs))

    def restore(self, output: Tensor) -> Tensor:
        """Scale outputs of `scaled` to the target's units, or logits by the temperature."""
        return self.preprocess.restore(output) if self.temperature == 1 else output / self.temperature

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Compute outputs on the scale of the loss; the inputs are those of `member_outputs`."""
        return self.combined(self.member_outputs(**inputs), n_samples(inputs))

    def member_outputs(self, *, row: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """Compute each member's outputs on the scale of the loss, (batch * n_members, ...): all members' for the first
        sample, then for the next; in training, of the members that are trained. In the training of a retrieval network,
        `row` (batch,) are the numbers of the samples in the training split."""
        training = {} if row is None else {"row": row}
        return self.shaped(self.network(**self.preprocess(inputs), **training))

    def layers(self) -> Iterator[nn.Module]:
        """All layers that compute the outputs."""
        return self.network.modules()

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Compute what `scaled` does, and the state for the next batch of a stream; see `Network.carry`."""
        output, state = self.network.carry(state, **self.preprocess(inputs))
        return self.combined(self.shaped(output), n_samples(inputs)), state

    def advance(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Compute what `scaled` does of streams side by side, and their state; see `Network.advance`."""
        output, state = self.network.advance(state, **self.preprocess(inputs))
        return self.combined(self.shaped(output), n_samples(inputs)), state

    def features(self, **inputs: Tensor) -> Tensor:
        """Compute the last hidden representation, (batch, d_features); members' are concatenated."""
        features = self.network.features(**self.preprocess(inputs))
        return features if self.n_members == 1 else features.flatten(1)

    def hidden_states(self, **inputs: Tensor) -> Tensor:
        """Compute the hidden units at each step, (batch, time, n_units); see `Network.hidden_states`."""
        return self.network.hidden_states(**self.preprocess(inputs))

    def step(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Run one time step of a recurrent network.

        Args:
            state: returned by the step before; None at the start.
            inputs: the step's raw `sequence` (batch, n_channels) or `tokens` (batch,).

        Returns:
            The output as if the sequence ended here, and the state for the next step.
        """
        output, state = self.network.step(state, **self.preprocess(inputs))
        return self.restore(self.combined(self.shaped(output), n_samples(inputs))), state

    def shaped(self, output: Tensor) -> Tensor:
        """Bring the network's outputs (batch, n_outputs) to the target's shape where it is floating, and to
        (batch, n_per_value, *shape), which rise, where these are several numbers each; members' outputs (batch,
        n_members, n_outputs) become rows."""
        output = output if self.n_members == 1 else output.flatten(0, 1)
        if self._value_shape is None:
            return output
        values = output.view(len(output), *self._value_shape)
        return rising(values) if self._rises else values

    def combined(self, output: Tensor, n: int) -> Tensor:
        """Combine members' outputs (n * n_members, ...) of n samples on the scale of the loss into one (n, ...)."""
        if len(output) == n:
            return output
        members = output.unflatten(0, (n, -1)).transpose(0, 1)  # (n_members, n, ...)
        return self.preprocess.scale_target(self.combine(self.preprocess.restore(members)))


@dataclass(frozen=True)
class ScaledBatches:
    """Batches with scaled inputs, and their target as the loss sees it; read as often as `samples` can be."""

    preprocess: Preprocess
    samples: Iterable[Mapping[str, Tensor]]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for batch in self.samples:
            inputs = self.preprocess({name: batch[name] for name in self.preprocess.scales})
            yield {**inputs, "target": self.preprocess.scale_target(batch["target"])}


def n_samples(inputs: Mapping[str, Tensor]) -> int:
    """The samples of a batch."""
    return len(next(iter(inputs.values())))


def rising(numbers: Tensor) -> Tensor:
    """Numbers (batch, n, ...) that rise along the second axis: the middle one as it is, and the others by a positive
    distance (softplus) from their neighbour on its side."""
    middle = (numbers.shape[1] - 1) // 2
    distance, centre = nn.functional.softplus(numbers), numbers[:, middle : middle + 1]
    below = distance[:, :middle].flip(1).cumsum(1).flip(1)
    return torch.cat([centre - below, centre, centre + distance[:, middle + 1 :].cumsum(1)], 1)
