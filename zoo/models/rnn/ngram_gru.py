"""GRU layers on the characters of a text, and beside them a linear model on its n-grams.

The zoo's own: a recurrent network needs many texts, and a linear model of n-grams few, so the two answer together. Long
texts are read up to their 1,024th character by the first of the two, and shortened after a convolution by means of
consecutive steps, so that the recurrence reads 128 steps or fewer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import Network, valid_steps
from zoo.models.rnn._ngrams import NgramLinear, read_texts
from zoo.models.rnn._recurrent import Recurrent

MOST_CHARACTERS = 1024  # that the convolution reads of a text
MOST_STEPS = 128  # that the recurrence reads of a text of usual length


@MODELS.register("rnn/ngram_gru")
class NgramGRU(Recurrent):
    """Two members: a convolution and GRU layers, which are trained, and a linear model, which is fitted before.

    In training the first alone has an output.

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
        dropout: share of values between layers and before the output that is zeroed in training.
        options: those of `Recurrent`.
    """

    cell = nn.GRU
    step, carry, advance = Network.step, Network.carry, Network.advance  # it reads whole texts
    shortening: Tensor

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
        dropout: float = 0.1,
        **options: Any,
    ):
        if per_step:
            raise ValueError("reads whole texts, and here each step has a target; take model=rnn/char_lm or rnn/lstm")
        if n_channels:
            raise ValueError("reads tokens alone; take model=rnn/conv_gru")
        if kernel < 1 or kernel % 2 == 0 or n_weights < 0:
            raise ValueError(f"kernel is odd and n_weights at least 0; got kernel={kernel}, n_weights={n_weights}")
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
        self.register_buffer("shortening", torch.ones((), dtype=torch.int64))
        self.n_shortened = 1  # as the buffer says, which would have to be waited for on a GPU
        self.register_load_state_dict_post_hook(lambda module, _: module._read_shortening())
        self.fitted = NgramLinear(alphabet, n_outputs, n_weights) if n_weights else None
        self.n_members = 1 if self.fitted is None else 2

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Choose by how much texts are shortened, and fit the second member."""
        tokens, lengths, target = read_texts(inputs)
        usual = float(lengths.clamp(max=MOST_CHARACTERS).float().quantile(0.95))
        while usual > MOST_STEPS * int(self.shortening):
            self.shortening *= 2
        self._read_shortening()
        if self.fitted is not None:
            self.fitted.fit(tokens, lengths, target)

    def refit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the second member."""
        if self.fitted is not None:
            self.fitted.fit(*read_texts(inputs))

    def _read_shortening(self) -> None:
        self.n_shortened = int(self.shortening)

    def features(self, tokens: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """Compute the pooled hidden states, (batch, width x directions).

        Args:
            tokens: integer codes (batch, time), padded at the end.
            lengths: valid steps of each text, (batch,), at least 1.
        """
        tokens, lengths = tokens[:, :MOST_CHARACTERS], lengths.clamp(max=MOST_CHARACTERS)
        valid = valid_steps(lengths, tokens.shape[1])[:, :, None]  # (batch, time, 1)
        x = self.embed(tokens) * valid
        x = self.dropout((x + self.conv(x.mT).mT.relu()) * valid)
        n = self.n_shortened
        x = F.pad(x, (0, 0, 0, -x.shape[1] % n)).unflatten(1, (-1, n)).mean(2) if n > 1 else x
        lengths = (lengths + n - 1) // n
        hidden, _ = self._run(x, lengths=lengths)
        return self.dropout(self.pooling(hidden, valid_steps(lengths, hidden.shape[1])))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """Compute outputs of both members (batch, 2, n_outputs), in training of the first (batch, 1, n_outputs); of
        one member (batch, n_outputs)."""
        output = self.head(self.features(tokens, lengths))
        if self.fitted is None:
            return output
        if self.training:
            return output[:, None]
        beside = self.fitted(tokens, lengths).to(output.dtype) if self.fitted.is_fitted else output
        return torch.stack([output, beside], 1)
