"""Layers of networks that are several models at once, whose members share most of their weights.

Y. Wen, D. Tran, J. Ba, "BatchEnsemble" (arXiv 2002.06715, section 3), initialised as in Y. Gorishniy, A. Kotelnikov,
A. Babenko, "TabM" (arXiv 2410.24210, section 3).
"""

import torch
from torch import Tensor, nn

from zoo.models.fnn.embeddings import Plain
from zoo.models.fnn.table_input import TableInput


def first_adapter(n_members: int, table: TableInput) -> nn.Parameter:
    """Scales of a table's vector, (n_members, table.width), drawn for each member and column: 1 or -1 where numbers are
    read as they are, else from a normal distribution."""
    scales = torch.randn(n_members, len(table.widths))
    scales = scales.sign() if isinstance(table.numeric, Plain) else scales
    return nn.Parameter(scales.repeat_interleave(torch.tensor(table.widths, dtype=torch.long), 1))


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
