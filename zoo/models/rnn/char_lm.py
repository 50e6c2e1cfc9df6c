"""A language model of characters or of other small vocabularies: an embedding, an LSTM, and a tied head.

A. Graves, "Generating sequences with recurrent neural networks" (arXiv 1308.0850, section 3); A. Karpathy, "The
unreasonable effectiveness of recurrent neural networks", 2015. The head scores each token by its embedding: O. Press,
L. Wolf, "Using the output embedding to improve language models" (arXiv 1608.05859, section 2); deviation: hidden states
are projected to the embedding's size first, so that few tokens cost few weights.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.rnn._recurrent import Recurrent

LONG = 400_000  # tokens of a training text


@MODELS.register("rnn/char_lm")
class CharLM(Recurrent):
    """An LSTM over learnt embeddings. Where the outputs are the next tokens, the head shares the embeddings' weights.

    Args:
        cardinalities: number of tokens.
        n_outputs: outputs.
        per_step: whether each step has an output, instead of one for the text.
        causal: whether the output of each step may depend on the steps up to it alone, as for the next token.
        width: hidden units of each layer; None is by the length of the training text, see `suited`.
        depth: layers; each but the first adds to its input.
        d_embedding: numbers of a token's embedding; None likewise.
        dropout: share of values between layers and before the output that is zeroed in training; None likewise.
    """

    cell = nn.LSTM

    def __init__(
        self,
        *,
        cardinalities: Sequence[int],
        n_outputs: int,
        per_step: bool,
        causal: bool,
        width: int | None = None,
        depth: int = 1,
        d_embedding: int | None = None,
        dropout: float | None = None,
    ):
        small = self.suited(0)
        width = small["width"] if width is None else width
        d_embedding = small["d_embedding"] if d_embedding is None else d_embedding
        super().__init__(
            n_channels=d_embedding,
            n_known=0,
            cardinalities=(),
            n_outputs=n_outputs,
            per_step=per_step,
            causal=causal,
            width=width,
            depth=depth,
            residual=True,
            dropout=small["dropout"] if dropout is None else dropout,
            variational=False,
        )
        self.embedding = nn.Embedding(cardinalities[0], d_embedding)
        nn.init.normal_(self.embedding.weight, std=d_embedding**-0.5)
        if causal and n_outputs == cardinalities[0]:
            self.head = TiedHead(self.embedding, width)

    @classmethod
    def suited(cls, n_targets: int) -> dict[str, Any]:
        """Fewer than 100,000 weights for a list of names, a million for books, the longer the less dropout."""
        if n_targets < LONG:
            return {"width": 128, "d_embedding": 32, "dropout": 0.3}
        return {"width": 448, "d_embedding": 64, "dropout": round(min(max(250_000 / n_targets, 0.1), 0.3), 2)}

    def features(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Compute the hidden states; see `Recurrent.features`."""
        return super().features(tokens=tokens, lengths=lengths)

    def _encode(self, sequence: Tensor | None = None, tokens: Tensor | None = None) -> Tensor:
        assert sequence is None and tokens is not None
        return self.embedding(tokens) * self.embedding.embedding_dim**0.5  # variance 1


class TiedHead(nn.Module):
    """Score tokens by their embeddings: (..., width) to logits (..., n_tokens).

    Args:
        embedding: whose weights it shares.
        width: of the hidden states.
    """

    def __init__(self, embedding: nn.Embedding, width: int):
        super().__init__()
        self.project = nn.Linear(width, embedding.embedding_dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self._embedding = [embedding]  # in a list, so that its weights are not in a file twice

    def forward(self, hidden: Tensor) -> Tensor:
        return F.linear(self.project(hidden), self._embedding[0].weight, self.bias)
