"""Reversible instance normalisation: each window is normalised by its own statistics, and its forecast restored.

T. Kim et al., "Reversible instance normalization for accurate time-series forecasting against distribution shift" (ICLR
2022, section 2). Deviations: no learnt affine map; "last" subtracts the last value only, as in S. Lin et al., SegRNN
(arXiv 2308.11200, section 3.3).
"""

from collections.abc import Callable

import torch
from torch import Tensor

Norm = Callable[[Tensor], tuple[Tensor, Tensor]]  # gives centre and scale (batch, 1, n_channels) of each window
LEAST = 0.1  # standard deviation of a window, where that of the training split is 1


def _none(sequence: Tensor) -> tuple[Tensor, Tensor]:
    zero = torch.zeros_like(sequence[:, -1:])
    return zero, zero + 1


def _last(sequence: Tensor) -> tuple[Tensor, Tensor]:
    return sequence[:, -1:], torch.ones_like(sequence[:, -1:])


def _mean_std(sequence: Tensor) -> tuple[Tensor, Tensor]:
    deviation = sequence.var(1, correction=0, keepdim=True).add(LEAST**2).sqrt()
    return sequence.mean(1, keepdim=True), deviation


INSTANCE_NORMS: dict[str, Norm] = {"none": _none, "last": _last, "mean_std": _mean_std}
