"""Read single steps of a sequence for a trained model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.raw_input import describe
from zoo.data.sequences.inputs.raw_notes import as_labels
from zoo.data.sequences.inputs.tokens import UNKNOWN
from zoo.data.sequences.inputs.vocabulary import Vocabulary


class StepReader:
    """Reads the steps of one sequence, one after the other. A missing value (NaN) is the last one before it.

    Args:
        spec: of the model.
    """

    def __init__(self, spec: DataSpec):
        self.spec, self.name = spec, next(iter(spec.inputs))
        if self.name not in ("sequence", "tokens"):
            raise UserError(f"steps are of sequences and texts; this model takes {', '.join(spec.inputs)}: use predict")
        an_input = spec.inputs[self.name]
        self.dtype = getattr(torch, an_input.dtype)
        self.names = spec.column_names
        self.n_channels = an_input.shape[-1] or 0
        pieces = Vocabulary.of_reading(spec.reading).pieces if self.name == "tokens" else []
        self.tokens = {piece: token for token, piece in enumerate(pieces)}
        self.last = np.full(self.n_channels, np.nan)

    def start(self) -> dict[str, Tensor] | None:
        """The step with which documents begin, as `read` returns it; None for other data."""
        return self.read(self.spec.reading["start"]) if self.spec.reading.get("start") else None

    def blank(self) -> dict[str, Tensor]:
        """A step of zeros, as `read` returns it."""
        shape = (1,) if self.name == "tokens" else (1, self.n_channels)
        return {self.name: torch.zeros(shape, dtype=self.dtype)}

    def read(self, step: Any) -> dict[str, Tensor]:
        """Read one step as {"sequence": (1, n_channels)} or {"tokens": (1,)}."""
        if self.name == "tokens":
            return {"tokens": self._token(step)}
        values = self._notes(step) if "notes" in self.spec.reading else self._values(step)
        return {"sequence": torch.from_numpy(values).to(self.dtype)[None]}

    def _token(self, step: Any) -> Tensor:
        if not isinstance(step, str) or (len(step) != 1 and step not in self.tokens):
            raise UserError(f"a step of a text is one character or token; got {describe(step)}")
        return torch.tensor([self.tokens.get(step, UNKNOWN)])

    def _notes(self, step: Any) -> np.ndarray:
        try:
            piece = np.asarray(step, dtype=np.float64).reshape(1, -1)
        except (TypeError, ValueError) as error:
            raise UserError(f"a step of a piece is a list of pitches, [] for silence; got {describe(step)}") from error
        return as_labels(self.spec, [piece], ["this step"])[0][0]

    def _values(self, step: Any) -> np.ndarray:
        try:
            row = [step[name] for name in self.names] if isinstance(step, Mapping) else step
            values = np.atleast_1d(np.asarray(row, dtype=np.float64))
        except (KeyError, TypeError, ValueError) as error:
            raise self._other(step) from error
        if values.shape != (self.n_channels,) or np.isinf(values).any():
            raise self._other(step)
        self.last = np.where(np.isnan(values), self.last, values)
        return self.last

    def _other(self, step: Any) -> UserError:
        what = f"a frame of {self.n_channels} bands" if "n_mels" in self.spec.reading else "finite numbers"
        names = f", {', '.join(self.names[:5])}" if self.names and "n_mels" not in self.spec.reading else ""
        return UserError(f"a step here is {what} ({self.n_channels},){names}; got {describe(step)}")
