"""Learning from a trained model beside the targets."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.models.ensemble import Trained
from zoo.tasks import Task


class Distillation:
    """Adds to the loss how far a student's outputs are from its teacher's (G. Hinton, O. Vinyals, J. Dean, arXiv
    1503.02531, section 2), as `Task.distance` measures it.

    Args:
        task: of the student.
        teacher: takes the same inputs and gives the same outputs.
        weight: of the teacher in the loss; the targets have the rest.
        temperature: divides both models' logits; a higher one shows more of the unlikely classes.
    """

    def __init__(self, task: Task, teacher: Trained, *, weight: float, temperature: float):
        if not 0 < weight <= 1 or temperature <= 0:
            raise UserError(
                "distill.weight is above 0 and at most 1, and distill.temperature above 0; "
                f"got {weight} and {temperature}"
            )
        self.teacher, self.weight, self._distance = teacher.eval(), weight, task.distance(temperature)
        self.teacher.requires_grad_(False)

    def __call__(self, loss: Tensor, distance: Tensor) -> Tensor:
        """The loss to train on, a scalar, from that of the targets and the distance from the teacher."""
        return (1 - self.weight) * loss + self.weight * distance

    def distance(self, output: Tensor, inputs: Mapping[str, Any], student: Any) -> Tensor:
        """How far the student is from its teacher, a mean over the batch, a scalar.

        Args:
            output: of the student or of each of its members, on the network's scale, (batch * n_members, n_outputs).
            inputs: of both, by name.
            student: the model in training.
        """
        with torch.no_grad():
            taught = student.preprocess.scale_target(self.teacher(**inputs)).float()
        return self._distance(output.float(), taught.repeat_interleave(len(output) // len(taught), 0))
