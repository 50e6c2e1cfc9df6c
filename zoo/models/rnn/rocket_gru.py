"""GRU layers behind Inception modules, and beside them a ridge regression on MiniRocket's features.

The zoo's own: a recurrent network needs many sequences, and a linear function of many fixed features needs few, so the
two answer together, and which of them counts more is by the number of training sequences. At the end of the training,
when the validation split has chosen the network's weights, the linear function is fitted to it as well. The modules are
those of H. Ismail Fawaz et al., "InceptionTime" (arXiv 1909.04939, section 3), the features those of A. Dempster et
al., "MiniRocket" (arXiv 2012.08791). Long sequences are shortened by means of consecutive steps, so that the recurrence
reads 64 steps or fewer.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn.inception_time import Inception
from zoo.models.layers import valid_steps
from zoo.models.rnn._beside import BesideFitted, Sample
from zoo.models.rnn._rocket import RocketRidge, lengths_of, read_sample


@MODELS.register("rnn/rocket_gru")
class RocketGRU(BesideFitted):
    """Two members: Inception modules and GRU layers, which are trained, and a ridge regression, which is fitted before.

    Where each step has a target, there is no second.

    Args:
        n_channels: values at each step.
        n_outputs: outputs.
        per_step: whether each step has an output, instead of one for the sequence.
        causal: whether the output of each step may depend on the steps up to it alone, which this network refuses.
        width: hidden units of each GRU layer and direction.
        filters: of each of the four branches of an Inception module.
        n_modules: Inception modules.
        kernel: steps that the longest filters cover, odd.
        n_features: of MiniRocket, about; 0 for no second member.
        dropout: share of values between layers and before the output that is zeroed in training.
        options: those of `Recurrent`.
    """

    most_steps = 64

    def __init__(
        self,
        *,
        n_channels: int,
        n_outputs: int,
        per_step: bool,
        causal: bool,
        width: int = 48,
        filters: int = 16,
        n_modules: int = 2,
        kernel: int = 39,
        n_features: int = 5000,
        dropout: float = 0.2,
        **options: Any,
    ):
        if causal:
            raise ValueError("reads whole sequences, and here the next step is the target; take model=rnn/lstm")
        if min(filters, n_modules) < 1 or kernel < 1 or kernel % 2 == 0 or n_features < 0:
            raise ValueError(
                f"filters and n_modules are at least 1, kernel is odd and n_features at least 0; got {filters}, "
                f"{n_modules}, {kernel} and {n_features}"
            )
        super().__init__(
            n_channels=4 * filters,
            n_outputs=n_outputs,
            per_step=per_step,
            causal=causal,
            width=width,
            dropout=dropout,
            **options,
        )
        n_directions = 2 if self.backwards else 1
        channels = [n_channels] + [4 * filters] * (n_modules - 1)
        self.inceptions = nn.ModuleList(Inception(c_in, filters, kernel) for c_in in channels)
        if not per_step:
            self.head = nn.Linear(width * n_directions + 4 * filters, n_outputs)
        self.put_beside(RocketRidge(n_channels, n_outputs, n_features) if n_features and not per_step else None)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Choose by how much sequences are shortened, unless each step has a target, and fit the second member."""
        if not self.per_step:
            super().fit(inputs)

    def read_sample(self, inputs: Iterable[Mapping[str, Tensor]]) -> Sample:
        """Read some sequences."""
        return read_sample(inputs)

    def repeated(self, outputs: Tensor) -> Tensor:
        """Repeat the members' outputs (batch, 2, n_outputs), as (batch, 4, n_outputs): the regression counts more
        where there are few sequences."""
        return outputs[:, self.fitted.counted]

    def features(self, sequence: Tensor, lengths: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Compute the pooled hidden states and the mean of the last module's maps, (batch, width x directions + 4
        filters); with `per_step`, the hidden states of each step.

        Args:
            sequence: (batch, time, n_channels), padded at the end.
            lengths: valid steps of each sequence, (batch,), at least 1; None where all steps are.
        """
        lengths = lengths_of(sequence, lengths)
        maps, lengths = self._convolve(sequence, lengths)
        valid = valid_steps(lengths, maps.shape[1])
        hidden, _ = self._run(maps, lengths=lengths)
        pooled = self.pooling(hidden, valid)
        return self.dropout(pooled if self.per_step else torch.cat([pooled, maps.sum(1) / lengths[:, None]], 1))

    def _convolve(self, sequence: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The last module's maps (batch, time, 4 filters), 0 after their lengths, and these (batch,)."""
        x = sequence * valid_steps(lengths, sequence.shape[1])[:, :, None]
        n_left = 1 if self.per_step else self.n_shortened
        first = max(1, n_left >> len(self.inceptions))  # each module's maps are halved at most
        x, lengths = shorten(x, lengths, first)
        n_left //= first
        for inception in self.inceptions:
            x = inception(x.mT, valid_steps(lengths, x.shape[1])[:, None]).mT
            if n_left > 1:
                x, lengths = shorten(x, lengths, 2)
                n_left //= 2
        return x, lengths


def shorten(x: Tensor, lengths: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Take the mean of every `n` consecutive steps of x (batch, time, width), which is 0 after its lengths (batch,)."""
    if n == 1:
        return x, lengths
    valid = valid_steps(lengths, x.shape[1])[:, :, None].to(x.dtype)
    x, counts = (F.pad(part, (0, 0, 0, -x.shape[1] % n)).unflatten(1, (-1, n)).sum(2) for part in (x, valid))
    return x / counts.clamp(min=1), (lengths + n - 1) // n
