"""Blocks that several convolutional networks share."""

from collections.abc import Sequence

from torch import Tensor, nn


class Convolution(nn.Conv2d):
    """A convolution without bias, padded to keep the size: (batch, c_in, h, w) to (batch, c_out, h / stride, w /
    stride)."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1, *, groups: int = 1):
        super().__init__(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def conv_norm(c_in: int, c_out: int, kernel: int = 3, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias, then BatchNorm: (batch, c_in, h, w) to (batch, c_out, h / stride, w / stride)."""
    return nn.Sequential(Convolution(c_in, c_out, kernel, stride, groups=groups), nn.BatchNorm2d(c_out))


def init_convolutions(network: nn.Module) -> None:
    """Initialise all convolutions so that ReLUs keep the size of the gradient (K. He et al., arXiv 1502.01852, section
    2.2)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def check_positive(**sizes: int | float) -> None:
    """Raise ValueError unless each size is above 0."""
    for name, size in sizes.items():
        if size <= 0:
            raise ValueError(f"{name} is above 0; got {size}")


def check_size(height: int, width: int, least: int) -> None:
    """Raise ValueError unless both sides of an image have at least `least` pixels."""
    if min(height, width) < least:
        raise ValueError(f"images are at least {least} by {least} pixels; got {height} by {width}")


class PreActBlock(nn.Module):
    """BatchNorm and ReLU before each of two 3x3 convolutions (K. He et al., arXiv 1603.05027, figure 4 e).

    (batch, c_in, h, w) to (batch, c_out, h / stride, w / stride); if the shapes differ, the shortcut is a 1x1
    convolution of the first ReLU's output.

    Args:
        c_in: channels.
        c_out: channels.
        stride: of the first convolution.
        dropout: share of values zeroed between the convolutions (S. Zagoruyko, N. Komodakis, arXiv
            1605.07146, section 2.4).
    """

    def __init__(self, c_in: int, c_out: int, stride: int, dropout: float = 0.0):
        super().__init__()
        self.before = nn.Sequential(nn.BatchNorm2d(c_in), nn.ReLU())
        self.residual = nn.Sequential(
            Convolution(c_in, c_out, stride=stride),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Dropout(dropout),
            Convolution(c_out, c_out),
        )
        same = stride == 1 and c_in == c_out
        self.shortcut = None if same else Convolution(c_in, c_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, before any activation."""
        active = self.before(x)
        return self.residual(active) + (x if self.shortcut is None else self.shortcut(active))


def preact_stages(in_channels: int, widths: Sequence[int], n_blocks: int, dropout: float = 0.0) -> nn.Sequential:
    """A 3x3 convolution, a stage of `n_blocks` pre-activation blocks for each width after the first, at halving
    resolution, and a last BatchNorm and ReLU.

    Args:
        in_channels: image channels.
        widths: channels of the first convolution, then of each stage.
        n_blocks: blocks of a stage.
        dropout: within each block.
    """
    layers: list[nn.Module] = [Convolution(in_channels, widths[0])]
    c_in = widths[0]
    for stage, c_out in enumerate(widths[1:]):
        for index in range(n_blocks):
            layers.append(PreActBlock(c_in, c_out, 2 if stage and index == 0 else 1, dropout))
            c_in = c_out
    return nn.Sequential(*layers, nn.BatchNorm2d(c_in), nn.ReLU())
