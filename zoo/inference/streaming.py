"""Answer to a sequence that arrives step by step, with a state of constant size."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.data.sequences.inputs.raw_steps import StepReader

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor


class Stream:
    """A sequence as far as it has arrived. Made by `Predictor.stream`.

    Attributes:
        n_steps: sent so far.
    """

    def __init__(self, predictor: "Predictor"):
        spec = predictor.spec
        if "date_column" in spec.reading:
            look_back = spec.inputs["sequence"].shape[0]
            raise UserError(
                f"a forecast is made from a window of {look_back} steps at once: give predict the last {look_back}, "
                "whenever a new one arrives"
            )
        self.predictor, self.n_steps, self._reader = predictor, 0, StepReader(spec)
        self._state: Any = None
        self._output: Tensor | None = None
        self._run(self._reader.blank())  # raises where the model reads whole sequences
        if (start := self._reader.start()) is not None:
            self._output, self._state = self._run(start)

    def send(self, step: Any) -> Any:
        """Take the next step.

        Args:
            step: the values of the channels, (n_channels,), a single number of one channel, or a dict by the channels'
                names; of recordings the bands of a frame; of notes a list of pitches; of a text one character
                or token.

        Returns:
            What `predict` answers to the steps so far; where each step has a class, that of this step.

        Raises:
            UserError: for a step of another kind, or infinity.
        """
        output, self._state = self._run(self._reader.read(step))
        self._output = output
        self.n_steps += 1
        answer = self.predictor.task.decode(output)[0]
        return answer[-1] if self.predictor.task.answers_steps else answer

    @property
    def probabilities(self) -> np.ndarray:
        """What `predict_proba` answers to the steps so far, (n_classes,)."""
        if self._output is None:
            raise UserError("a stream has probabilities once it was sent a step: stream.send(step)")
        probabilities = self.predictor.task.probabilities(self._output)[0]
        return (probabilities[-1] if self.predictor.task.answers_steps else probabilities).cpu().numpy()

    def _run(self, batch: dict[str, Tensor]) -> tuple[Tensor, Any]:
        """The output of one step, with an axis for time where each step has one, and the state after it."""
        inputs = {name: value.to(self.predictor.device) for name, value in batch.items()}
        with torch.inference_mode():
            output, state = self.predictor.model.step(self._state, **inputs)
        return (output.view(1, 1, -1) if self.predictor.task.per_step else output), state
