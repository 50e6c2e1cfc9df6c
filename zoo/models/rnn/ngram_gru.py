"""GRU layers on the characters of a text, and beside them a linear model on its n-grams.

The zoo's own: a recurrent network needs many texts, and a linear model of n-grams few, so the two answer together. Long
texts are read up to their 1,024th character by the first of the two, and shortened after a convolution by means of
consecutive steps, so that the recurrence reads 128 steps or fewer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import valid_steps
from zoo.models.rnn._beside import BesideFitted, Sample
from zoo.models.rnn._ngrams import NgramLinear, read_texts

MOST_CHARACTERS = 1024  # that the convolution reads of a text


@MODELS.register("rnn/ngram_gru")
class NgramGRU(BesideFitted):
    """Two members: a convolution and GRU layers, which are trained, and a linear model, which is fitted before.

    Args:
        n_channels: values at each step, which a text has none of.
        cardinalities: number of tokens.
        alphabet: the characters of tokens 1, 2, ...
        n_outputs: outputs.
        per_step: whether each step has an output, which this network refuses.
        causal: whether the output of each step may depend on the steps up to it alone.
        width: hidden units of each GRU layer and direction, and filters.
        kernel: characters that a filter covers, odd.
        n_weights: of the linear model on words, about, and an eighth of that on characters; 0 for no second member.
        prior: the part of the logarithm of each class's share of the texts that both members' logits are lowered by
            once they are trained, so that rare classes are answered more often: A. Menon et al., "Long-tail learning
            via logit adjustment" (arXiv 2007.07314, section 4.1); needs the second member.
        dropout: share of values between layers and before the output that is zeroed in training.
        options: those of `Recurrent`.
    """

    most_steps = 128

    def __init__(
        self,
        *,
        n_channels: int,
        cardinalities: Sequence[int],
        alphabet: str,
        n_outputs: int,
        per_step: bool,
        causal: bool,
        width: int = 64,
        kernel: int = 3,
        n_weights: int = 1048576,
        prior: float = 0.0,
        dropout: float = 0.1,
        **options: Any,
    ):
        if per_step:
            raise ValueError("reads whole texts, and here each step has a target; take model=rnn/char_lm or rnn/lstm")
        if n_channels:
            raise ValueError("reads tokens alone; take model=rnn/conv_gru")
        if kernel < 1 or kernel % 2 == 0 or n_weights < 0:
            raise ValueError(f"kernel is odd and n_weights at least 0; got kernel={kernel}, n_weights={n_weights}")
        if prior and not n_weights:
            raise ValueError(f"prior is learnt with the n-grams, of which there are none; got prior={prior}")
        super().__init__(
            n_channels=width,
            cardinalities=(),
            n_outputs=n_outputs,
            per_step=per_step,
            causal=causal,
            width=width,
            dropout=dropout,
            **options,
        )
        self.embed = nn.Embedding(cardinalities[0], width)
        self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.put_beside(NgramLinear(alphabet, n_outputs, n_weights, prior) if n_weights else None)

    def read_sample(self, inputs: Iterable[Mapping[str, Tensor]]) -> Sample:
        """Read many texts."""
        return read_texts(inputs)

    def most_read(self, lengths: Tensor) -> Tensor:
        """The characters that the convolution reads of texts of these lengths, (n,)."""
        return lengths.clamp(max=MOST_CHARACTERS)

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Compute outputs as `BesideFitted` does, lowered by the offset of each class but in training."""
        output = super().forward(*args, **inputs)
        lowered = self.fitted is not None and self.fitted.offset is not None and not self.training
        return output - self.fitted.offset if lowered else output

    def features(self, tokens: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """Compute the pooled hidden states, (batch, width x directions).

        Args:
            tokens: integer codes (batch, time), padded at the end.
            lengths: valid steps of each text, (batch,), at least 1.
        """
        tokens, lengths = tokens[:, :MOST_CHARACTERS], self.most_read(lengths)
        valid = valid_steps(lengths, tokens.shape[1])[:, :, None]  # (batch, time, 1)
        x = self.embed(tokens) * valid
        x = self.dropout((x + self.conv(x.mT).mT.relu()) * valid)
        n = self.n_shortened
        x = F.pad(x, (0, 0, 0, -x.shape[1] % n)).unflatten(1, (-1, n)).mean(2) if n > 1 else x
        lengths = (lengths + n - 1) // n
        hidden, _ = self._run(x, lengths=lengths)
        return self.dropout(self.pooling(hidden, valid_steps(lengths, hidden.shape[1])))
