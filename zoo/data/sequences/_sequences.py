"""What the sequence data sets share: padding."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sequences (time, n_channels) of any lengths as one tensor (n, longest, n_channels), zeros at the end, and their
    lengths (n,)."""
    return pad_sequence(list(sequences), batch_first=True), torch.tensor([len(sequence) for sequence in sequences])
