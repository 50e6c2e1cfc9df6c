"""Language modelling: the next token at each step of a text."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from zoo.core.spec import IGNORE_INDEX

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS, Answer
from zoo.tasks.classification import log_shares
from zoo.tasks.sampling import Sampling
from zoo.tasks.steps import StepClasses, last_outputs


@TASKS.register("language_modelling")
class LanguageModelling(StepClasses):
    """The next token, at each step of a text; the arguments are those of `StepClasses`.

    A long text is one stream. Documents, which have lengths, are samples of their own: each begins after the start
    token, which also ends it.
    """

    score, score_mode, n_reported = "nats", "min", 0
    call = 'model.generate("Once upon a time", n=200)'
    generates = True
    meanings: ClassVar[Mapping[str, str]] = {
        "loss": "what training lowers",
        "nats": "cross entropy of the next character; e to its power is how many characters it wavers between",
        "bits": "cross entropy of the next character in bits: what the model would compress the text to",
        "bits_per_token": "cross entropy of the next token, which may be several characters, in bits",
        "accuracy": "share of right answers",
    }

    @property
    def stream(self) -> bool:  # type: ignore[override]
        """Whether the text is one stream, rather than documents."""
        return "lengths" not in self.spec.inputs

    def default_metrics(self) -> "dict[str, Metric]":
        """Cross entropy in nats and in bits a character, and the share of tokens that were the likeliest; where tokens
        are of several characters, cross entropy in bits a token too."""
        from torchmetrics.classification import MulticlassAccuracy

        from zoo.tasks.metrics import CrossEntropy

        sizes, bit = torch.tensor([len(piece) for piece in self.spec.class_names]), math.log(2)
        of_tokens = {"bits_per_token": CrossEntropy(bit)} if (sizes > 1).any() else {}
        accuracy = MulticlassAccuracy(self.spec.n_outputs, average="micro")
        of_characters = {"nats": CrossEntropy(1.0, sizes), "bits": CrossEntropy(bit, sizes)}
        return {**of_characters, **of_tokens, "accuracy": accuracy}

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """Each token with its share of the training text, whatever came before."""
        shares = log_shares(train["target"][train["target"] != IGNORE_INDEX], self.spec.n_outputs)
        return {"frequency of each character": lambda batch: shares.expand(*batch["target"].shape, -1)}

    def decode(self, output: Tensor) -> list[Any]:
        """The likeliest token after the end of each text."""
        return [self.spec.class_names[index] for index in last_outputs(output).argmax(1).tolist()]

    def probabilities(self, output: Tensor) -> Tensor:
        """Of the token after the end of each text, (batch, n_tokens)."""
        return last_outputs(output).float().softmax(1)

    def write(
        self,
        carry: Callable[[Tensor, Any], tuple[Tensor, Any]],
        tokens: Tensor,
        sampling: Sampling,
        generator: torch.Generator,
    ) -> Iterator[str]:
        """Text drawn token after token from the model's own answers; a document until its end.

        Args:
            carry: maps tokens (1, time) and a state to logits (1, time, n_tokens) and the next state.
            tokens: the prompt (1, time), on the model's device.
            sampling: how tokens are drawn.
            generator: of random numbers.
        """
        state, end = None, self.spec.reading.get("start")
        while True:
            logits, state = carry(tokens, state)
            tokens = sampling.draw(logits[0, -1, 1:], generator).view(1, 1) + 1  # 0 is unknown
            piece = self.spec.class_names[int(tokens)]
            if piece == end:
                return
            yield piece

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """Text that the model writes."""
        options = {"n": 400} if self.stream else {"n": 400, "documents": 20}
        page.section(
            "What it writes",
            "Drawn token after token from the model's own answers. A low temperature keeps to the likeliest ones.",
            *(page.text_block(f"temperature {t}", page.generate(temperature=t, **options)) for t in (0.5, 1.0)),
        )
