"""Layers of networks that are several models at once, whose members share most of their weights.

Y. Wen, D. Tran, J. Ba, "BatchEnsemble" (arXiv 2002.06715, section 3), initialised as in Y. Gorishniy, A. Kotelnikov,
A. Babenko, "TabM" (arXiv 2410.24210, section 3).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def random_signs(n_members: int, widths: Sequence[int]) -> nn.Parameter:
    """An adapter (n_members, sum(widths)) of 1 and -1, drawn once for each member and column, whose inputs share it.

    Args:
        n_members: rows of the adapter.
        widths: number of inputs that each column of the table has become, such as by one-hot encoding.
    """
    signs = torch.empty(n_members, len(widths)).bernoulli_(0.5) * 2 - 1
    return nn.Parameter(signs.repeat_interleave(torch.tensor(widths, dtype=torch.long), 1))


def column_widths(n_numeric: int, cardinalities: Sequence[int]) -> list[int]:
    """Number of inputs that each column of a table becomes: one for a number, and those of its one-hot encoding."""
    return [1] * n_numeric + [cardinality - 1 for cardinality in cardinalities]


def check_sizes(**sizes: int) -> None:
    """Raise ValueError unless each size is at least 1."""
    if min(sizes.values()) < 1:
        rule, found = " and ".join(sizes), ", ".join(f"{name}={size}" for name, size in sizes.items())
        raise ValueError(f"{rule} are at least 1; got {found}")


class MemberLinear(nn.Module):
    """A linear layer whose weight all members share: each scales its inputs and outputs, and has its own bias.

    Args:
        d_in, d_out: inputs and outputs of a member.
        n_members: members.
        adapter: scales of the inputs (n_members, d_in); None: 1.
    """

    def __init__(self, d_in: int, d_out: int, *, n_members: int, adapter: nn.Parameter | None = None):
        super().__init__()
        self.linear = nn.Linear(d_in, d_out, bias=False)
        self.r = nn.Parameter(torch.ones(n_members, d_in)) if adapter is None else adapter
        self.s = nn.Parameter(torch.ones(n_members, d_out))
        self.bias = nn.Parameter(torch.empty(d_out).uniform_(-(d_in**-0.5), d_in**-0.5).repeat(n_members, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_members, d_in), or (batch, 1, d_in) for all members, to (batch, n_members, d_out)."""
        return torch.addcmul(self.bias, self.linear(x * self.r), self.s)


class MemberHeads(nn.Module):
    """A linear layer of its own for each member.

    Args:
        d_in, d_out: inputs and outputs of a member.
        n_members: members.
    """

    def __init__(self, d_in: int, d_out: int, *, n_members: int):
        super().__init__()
        self.out_features = n_members * d_out
        self.weight = nn.Parameter(torch.empty(n_members, d_in, d_out).uniform_(-(d_in**-0.5), d_in**-0.5))
        self.bias = nn.Parameter(torch.empty(n_members, 1, d_out).uniform_(-(d_in**-0.5), d_in**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_members, d_in) to (batch, n_members, d_out)."""
        return torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)
