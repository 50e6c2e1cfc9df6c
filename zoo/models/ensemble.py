"""Several models as one."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zoo.models.candidates import Candidates
from zoo.models.model import Model
from zoo.models.preprocess import Preprocess


class Ensemble(nn.Module):
    """Models of one spec, whose outputs are combined into one.

    Args:
        members: trained on the same data.
        combine: maps their outputs in the target's units (n_members, batch, ...) to one output (batch, ...).

    Attributes:
        temperature: divides the combined logits, as in a `Model`; those of the members do not count.
    """

    temperature = 1.0
    members: Any  # a ModuleList of Models

    def __init__(self, members: Sequence[Model], *, combine: Callable[[Tensor], Tensor]):
        super().__init__()
        self.members, self.combine = nn.ModuleList(members), combine

    @property
    def preprocess(self) -> Preprocess:
        """Preprocessing of the first member, which has the scale of the target."""
        return self.members[0].preprocess

    def forward(self, **inputs: Tensor) -> Tensor:
        """Compute the combined output in the target's units, (batch, ...)."""
        return self.restore(self.carry(None, **inputs)[0])

    def restore(self, output: Tensor) -> Tensor:
        """Scale outputs of `scaled` to the target's units, or logits by the temperature."""
        return self.preprocess.restore(output) if self.temperature == 1 else output / self.temperature

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Compute the combined output on the scale of the loss."""
        return self.carry(None, **inputs)[0]

    def carry(self, state: Sequence[Any] | None = None, **inputs: Tensor) -> tuple[Tensor, list[Any]]:
        """Compute what `scaled` does, and the members' states for the next batch of a stream."""
        states = [None] * len(self.members) if state is None else state
        answers = [member.carry(before, **inputs) for member, before in zip(self.members, states, strict=True)]
        outputs = [member.preprocess.restore(output) for member, (output, _) in zip(self.members, answers, strict=True)]
        combined = self.combine(torch.stack(outputs))
        return self.preprocess.scale_target(combined), [after for _, after in answers]

    def step(self, state: Sequence[Any] | None = None, **inputs: Tensor) -> tuple[Tensor, list[Any]]:
        """Run one time step of recurrent networks; see `Model.step`."""
        states = [None] * len(self.members) if state is None else state
        answers = [member.step(before, **inputs) for member, before in zip(self.members, states, strict=True)]
        combined = self.combine(torch.stack([output for output, _ in answers]))
        return self.restore(self.preprocess.scale_target(combined)), [after for _, after in answers]

    def features(self, **inputs: Tensor) -> Tensor:
        """Concatenate the members' features, (batch, n_members * d_features)."""
        return torch.cat([member.features(**inputs) for member in self.members], dim=-1)


Trained = Model | Ensemble


def sizes(model: Trained) -> dict[str, int]:
    """The size of a model as cards and metrics have it: `n_parameters`, trained or fitted, and `n_candidates` where it
    holds training rows, those of all members."""
    n_candidates = sum(len(layer) for layer in model.modules() if isinstance(layer, Candidates))
    rows = {"n_candidates": n_candidates} if n_candidates else {}
    n_fitted = sum(getattr(layer, "n_fitted", 0) for layer in model.modules())
    return {"n_parameters": n_fitted + sum(parameter.numel() for parameter in model.parameters()), **rows}
