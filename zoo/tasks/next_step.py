"""Next-step modelling: which of several labels the next step of a sequence has, such as notes that sound together.

N. Boulanger-Lewandowski, Y. Bengio, P. Vincent, "Modeling temporal dependencies in high-dimensional sequences" (arXiv
1206.6392, section 6), with the plain recurrent network's output: labels of one step are independent given the past.
Deviation: the first step of a sequence is given, not predicted, as in S. Bai, J. Z. Kolter, V. Koltun (arXiv
1803.01271).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import Metric, MetricCollection

    from zoo.tasks.page import Page

from zoo.core.errors import UserError
from zoo.tasks.base import TASKS, Answer, Scale
from zoo.tasks.library import adapted
from zoo.tasks.multi_label import MultiLabel
from zoo.tasks.sampling import Sampling
from zoo.tasks.steps import last_outputs, step_counts

N_PIECES, N_STEPS = 3, 64  # drawn in a report


@TASKS.register("next_step")
class NextStep(MultiLabel):
    """The labels of the next step, at each step of a sequence of 0 or 1 for each label. Logits and targets are (batch,
    time, n_labels), targets NaN after the end. The arguments are those of `MultiLabel`."""

    target = "float32", 2
    per_step = generates = True
    score, score_mode, n_reported = "nll", "min", 1000
    call = "model.generate(raw, n=100)"
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers: nll without label smoothing and weights",
        "nll": "negative log-likelihood of a step in nats: the sum of the labels' cross entropies, as the literature's",
        "accuracy": "labels found, as a share of those found, missed and wrongly answered, over all steps",
        "f1": "harmonic mean of precision and recall, over all labels of all steps",
    }

    # -- training

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The sum over the labels of a step, the mean over the steps that are not padding."""
        known = ~target[..., 0].isnan()
        return (self.losses(output, target.nan_to_num()).sum(-1) * known).sum() / known.sum()

    def count(self, target: Tensor) -> Tensor:
        """The number of steps that are not padding."""
        return (~target[..., 0].isnan()).sum()

    # -- metrics and answers

    def default_metrics(self) -> "dict[str, Metric]":
        """Negative log-likelihood of a step; accuracy over frames (M. Bay, A. Ehmann, J. Downie, "Evaluation of
        multiple-F0 estimation and tracking systems", 2009, section 3.2), and F1."""
        from torchmetrics.classification import MultilabelF1Score, MultilabelJaccardIndex

        from zoo.tasks.metrics import MeanOf

        return {
            "nll": MeanOf(step_likelihood),
            "accuracy": adapted(self, MultilabelJaccardIndex, average="micro"),
            "f1": adapted(self, MultilabelF1Score, average="micro"),
        }

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Update the metrics with the steps that are not padding."""
        known = ~target[..., 0].isnan()
        metrics.update(output[known], target[known])

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """Each label goes on, or starts, as often as it does in the training split."""
        known = ~train["target"][..., 0].isnan()
        now, after = train["sequence"][known] > 0.5, train["target"][known]  # (n_steps, n_labels)
        share = (after.sum(0) + 0.5) / (len(after) + 1)

        def frequency(where: Tensor) -> Tensor:
            """How often a label follows a step of `where`, its logit (n_labels,); one step more of its share."""
            return (((after * where).sum(0) + share) / (where.sum(0) + 1)).logit()

        goes_on, starts = frequency(now), frequency(~now)
        return {"persistence of each label": lambda batch: torch.where(batch["sequence"] > 0.5, goes_on, starts)}

    def decode(self, output: Tensor) -> list[Any]:
        """A list of labels of the step after the end of each sequence."""
        return super().decode(last_outputs(output))

    def probabilities(self, output: Tensor) -> Tensor:
        """Of each label in the step after the end of each sequence, (batch, n_labels)."""
        return super().probabilities(last_outputs(output))

    def write(
        self,
        carry: Callable[[Tensor, Any], tuple[Tensor, Any]],
        sequence: Tensor,
        sampling: Sampling,
        generator: torch.Generator,
    ) -> Iterator[list[str]]:
        """The labels of each step, drawn step after step from the model's own answers, without an end.

        Args:
            carry: maps steps (1, time, n_labels) and a state to logits of that shape and the next state.
            sequence: to go on from, (1, time, n_labels) of 0 or 1, on the model's device.
            sampling: how labels are drawn, each alone, by the temperature.
            generator: of random numbers.
        """
        if sampling.top_k is not None or sampling.top_p is not None:
            raise UserError("top_k and top_p are for tokens, of which one comes next; leave them null")
        state = None
        while True:
            logits, state = carry(sequence, state)
            probability = (logits[:, -1:].float() / sampling.temperature).sigmoid()  # (1, 1, n_labels)
            sequence = torch.bernoulli(probability, generator=generator)
            yield self._names(sequence[0, 0] > 0.5)

    # -- the report

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """The true labels of the first steps of some sequences over the probabilities that the model gave."""
        probability = output.float().sigmoid()
        drawn = [
            page.labels_over_time(self.spec.class_names, target[i, :n], probability[i, :n])
            for i, n in enumerate(min(length, N_STEPS) for length in step_counts(target)[:N_PIECES])
        ]
        page.section(
            "What comes next",
            f"The first {len(drawn)} test sequences, up to {N_STEPS} steps: the darker, the higher the probability "
            "that the model gave a label, from the steps before; a ring is a label that the step has.",
            *drawn,
        )


def step_likelihood(output: Tensor, target: Tensor) -> Tensor:
    """Terms whose mean is the negative log-likelihood of a step, from logits and targets (n, n_labels)."""
    return output.shape[1] * F.binary_cross_entropy_with_logits(output.float(), target, reduction="none")
