"""Learning from a trained model beside the targets."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.models.ensemble import Trained

TASKS = ("classification", "regression")


class Distillation:
    """Adds to the loss how far a student is from its teacher (G. Hinton, O. Vinyals, J. Dean, arXiv 1503.02531, section
    2): the Kullback-Leibler divergence of its class probabilities, or the mean squared difference of its standardised
    values.

    Args:
        spec: of the data.
        teacher: takes the same inputs and gives the same outputs.
        weight: of the teacher in the loss; the targets have the rest.
        temperature: divides both models' logits; above 1 tells more of the unlikely classes.
    """

    def __init__(self, spec: DataSpec, teacher: Trained, *, weight: float, temperature: float):
        if spec.task not in TASKS:
            raise UserError(f"distill.teacher is for {' and '.join(TASKS)}; data={spec.name} is {spec.task}")
        if not 0 < weight <= 1 or temperature <= 0:
            raise UserError(
                "distill.weight is above 0 and at most 1, and distill.temperature above 0; "
                f"got {weight} and {temperature}"
            )
        self.classes = spec.task == "classification"
        self.teacher, self.weight, self.temperature = teacher.eval().requires_grad_(False), weight, temperature

    def __call__(self, loss: Tensor, distance: Tensor) -> Tensor:
        """The loss to train on, a scalar, from that of the targets and the distance from the teacher."""
        return (1 - self.weight) * loss + self.weight * distance

    def distance(self, output: Tensor, inputs: Mapping[str, Any], student: Any) -> Tensor:
        """How far the student is from its teacher, a mean over the batch, a scalar.

        Args:
            output: of the student, on the network's scale, (batch, n_outputs).
            inputs: of both, by name.
            student: the model in training.
        """
        with torch.no_grad():
            taught = student.preprocess.scale_target(self.teacher(**inputs)).float()
        output = output.float()
        if not self.classes:
            return F.mse_loss(output, taught)
        ours, theirs = ((logits / self.temperature).log_softmax(1) for logits in (output, taught))
        return F.kl_div(ours, theirs, log_target=True, reduction="batchmean") * self.temperature**2
