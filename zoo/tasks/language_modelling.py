"""Language modelling: the next token at each step of a text."""

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from zoo.core.spec import IGNORE_INDEX

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

from zoo.tasks.base import TASKS, Scale, Task


@TASKS.register("language_modelling")
class LanguageModelling(Task):
    """The next token, at each step of a text."""

    target = "int64", 1
    score, score_mode, kept = "nats", "min", 0
    call = 'model.generate("Once upon a time", n=200)'
    stream = True

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy of logits (batch, time, n_tokens) and tokens (batch, time), in nats a token."""
        return F.cross_entropy(output.float().flatten(0, 1), target.flatten(), ignore_index=IGNORE_INDEX)

    def metrics(self) -> "MetricCollection":
        """See `zoo.tasks.metrics.language_modelling`."""
        from zoo.tasks import metrics

        return metrics.language_modelling(self.spec.n_outputs)

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Take in a batch, less its padded steps."""
        valid = target != IGNORE_INDEX
        metrics.update(output[valid], target[valid])

    def count(self, target: Tensor) -> Tensor:
        """Steps that are not padding."""
        return (target != IGNORE_INDEX).sum()

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest token after the end of each text."""
        return [self.spec.class_names[index] for index in output[:, -1].argmax(1).tolist()]
