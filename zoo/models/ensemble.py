"""Several models that answer together."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.models.layers import Preprocess
from zoo.models.model import Model


class Ensemble(nn.Module):
    """Models of one spec, whose outputs are combined into one.

    Args:
        members: trained on the same data.
        combine: maps their outputs in the target's units (n_members, batch, ...) to one output (batch, ...).
    """

    n_models = 1
    members: Any  # a ModuleList of Models

    def __init__(self, members: Sequence[Model], *, combine: Callable[[Tensor], Tensor]):
        super().__init__()
        self.members, self.combine = nn.ModuleList(members), combine

    @property
    def preprocess(self) -> Preprocess:
        """That of the first member; it knows the target's scale."""
        return self.members[0].preprocess

    def forward(self, **inputs: Tensor) -> Tensor:
        """The combined output in the target's units, (batch, ...)."""
        return self.preprocess.restore(self.carry(None, **inputs)[0])

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Outputs on the scale the loss is computed on."""
        return self.carry(None, **inputs)[0]

    def carry(self, state: Sequence[Any] | None = None, **inputs: Tensor) -> tuple[Tensor, list[Any]]:
        """What `scaled` gives, and the members' states from which the next batch goes on."""
        states = [None] * len(self.members) if state is None else state
        answers = [member.carry(one, **inputs) for member, one in zip(self.members, states, strict=True)]
        outputs = [member.preprocess.restore(output) for member, (output, _) in zip(self.members, answers, strict=True)]
        combined = self.combine(torch.stack(outputs))
        return self.preprocess.scale_target(combined), [one for _, one in answers]

    def features(self, **inputs: Tensor) -> Tensor:
        """The members' features side by side, (batch, n_members * d_features)."""
        return torch.cat([member.features(**inputs) for member in self.members], dim=-1)


Trained = Model | Ensemble
