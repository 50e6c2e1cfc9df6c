"""The base of recurrent networks with a second member, which is fitted in closed form before the first step."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.models.layers import Network
from zoo.models.rnn._recurrent import Recurrent

Sample = tuple[Tensor, Tensor, Tensor]  # inputs (n, time, ...), their lengths (n,), and targets


class BesideFitted(Recurrent):
    """GRU layers that read whole sequences, long ones shortened, and a member that is `fitted` beside them. In training
    the first alone has an output.

    A subclass sets `most_steps` and `read_sample`, and calls `put_beside` at the end of its constructor.

    Attributes:
        most_steps: that the recurrence reads of a sequence of usual length.
        fitted: the second member, called with the network's inputs, with `fit(inputs, lengths, target)` and
            `is_fitted`; None for none.
        n_shortened: steps that become one, as the buffer `shortening` says, which would have to be waited for on a GPU.
    """

    cell = nn.GRU
    step, carry, advance = Network.step, Network.carry, Network.advance
    most_steps: ClassVar[int]
    shortening: Tensor

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.register_buffer("shortening", torch.ones((), dtype=torch.int64))
        self.n_shortened = 1
        self.register_load_state_dict_post_hook(lambda module, _: module._read_shortening())

    @property
    def learns_validation(self) -> bool:  # type: ignore[override]
        """Whether there is a second member, which `refit` fits to the validation split too at the end of a training."""
        return self.fitted is not None and self.fitted.is_fitted

    def put_beside(self, fitted: Any) -> None:
        """Set the second member, or None."""
        self.fitted, self.n_members = fitted, 1 if fitted is None else 2

    def read_sample(self, inputs: Iterable[Mapping[str, Tensor]]) -> Sample:
        """Read what the second member is fitted to from batches."""
        raise NotImplementedError

    def most_read(self, lengths: Tensor) -> Tensor:
        """The steps that are read of sequences of these lengths, (n,)."""
        return lengths

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Choose by how much sequences are shortened, and fit the second member."""
        values, lengths, target = self.read_sample(inputs)
        usual = float(self.most_read(lengths).float().quantile(0.95))
        while usual > self.most_steps * int(self.shortening):
            self.shortening *= 2
        self._read_shortening()
        if self.fitted is not None:
            self.fitted.fit(values, lengths, target)

    def refit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the second member."""
        if self.fitted is not None:
            self.fitted.fit(*self.read_sample(inputs))

    def _read_shortening(self) -> None:
        self.n_shortened = int(self.shortening)

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Compute outputs of both members (batch, n, n_outputs), each as often as it counts; in training of the first
        (batch, 1, n_outputs); of one member (batch, n_outputs)."""
        output = self.head(self.features(*args, **inputs))
        if self.fitted is None:
            return output
        if self.training:
            return output[:, None]
        beside = self.fitted(*args, **inputs).to(output.dtype) if self.fitted.is_fitted else output
        return self.repeated(torch.stack([output, beside], 1))

    def repeated(self, outputs: Tensor) -> Tensor:
        """Repeat members' outputs (batch, 2, n_outputs) where they do not count alike, (batch, n, n_outputs)."""
        return outputs
