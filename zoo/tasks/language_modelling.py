"""Language modelling: the next token at each step of a text."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from zoo.core.spec import IGNORE_INDEX

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS, Answer
from zoo.tasks.classification import log_shares
from zoo.tasks.steps import StepClasses


@TASKS.register("language_modelling")
class LanguageModelling(StepClasses):
    """The next token, at each step of a text; the arguments are those of `StepClasses`."""

    score, score_mode, n_reported = "nats", "min", 0
    call = 'model.generate("Once upon a time", n=200)'
    stream = generates = True
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers",
        "nats": "cross entropy of the next character; e to its power is how many characters it wavers between",
        "bits": "cross entropy of the next character in bits: what the model would compress the text to",
        "accuracy": "share of right answers",
    }

    def default_metrics(self) -> "dict[str, Metric]":
        """Cross entropy in nats and in bits a token, and the share of tokens that were the likeliest."""
        from torchmetrics.classification import MulticlassAccuracy

        from zoo.tasks.metrics import CrossEntropy

        accuracy = MulticlassAccuracy(self.spec.n_outputs, average="micro")
        return {"nats": CrossEntropy(), "bits": CrossEntropy(unit=math.log(2)), "accuracy": accuracy}

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """Each token with its share of the training text, whatever came before."""
        shares = log_shares(train["target"][train["target"] != IGNORE_INDEX], self.spec.n_outputs)
        return {"frequency of each character": lambda batch: shares.expand(*batch["target"].shape, -1)}

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest token after the end of each text."""
        return [self.spec.class_names[index] for index in output[:, -1].argmax(1).tolist()]

    def probabilities(self, output: Tensor) -> Tensor:
        """Of the token after the end of each text, (batch, n_tokens)."""
        return output[:, -1].float().softmax(1)

    def write(
        self, carry: Callable[[Tensor, Any], tuple[Tensor, Any]], tokens: Tensor, n: int, temperature: float, seed: int
    ) -> str:
        """Text drawn token after token from the model's own answers.

        Args:
            carry: maps tokens (1, time) and a state to logits (1, time, n_tokens) and the next state.
            tokens: the prompt (1, time), on the model's device.
            n: tokens to write.
            temperature: divides the logits.
            seed: of the draws.
        """
        generator, state, text = torch.Generator(tokens.device).manual_seed(seed), None, ""
        for _ in range(n):
            logits, state = carry(tokens, state)
            probabilities = (logits[:, -1, 1:].float() / temperature).softmax(1)  # (1, n_tokens - 1); 0 is unknown
            tokens = torch.multinomial(probabilities, 1, generator=generator) + 1
            text += self.spec.class_names[int(tokens)]
        return text

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """Text that the model writes."""
        page.section(
            "What it writes",
            "Character after character drawn from the model's own answers. A low temperature keeps to the likeliest "
            "ones.",
            *(page.text_block(f"temperature {t}", page.generate(n=400, temperature=t)) for t in (0.5, 1.0)),
        )
