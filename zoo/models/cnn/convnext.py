"""ConvNeXt for small images: convolutions in blocks shaped like a transformer's.

Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie, "A ConvNet for the 2020s" (arXiv 2201.03545, section 2
and figure 4), with the widths of the "atto" size of R. Wightman's timm.
Deviation: patches of 2 pixels at the start in place of 4, for images of about 32 pixels.
"""

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, check_size
from zoo.models.layers import Network

EPS = 1e-6  # of all LayerNorms


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels at each pixel of (batch, channels, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each pixel; the shape stays."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """Depthwise 7x7 convolution, LayerNorm, and two linear layers over the channels with GELU in between; the result,
    scaled by channel, is added to the input.

    Args:
        c: channels of input and output.
        drop_path: share of samples for which the block is skipped in training (G. Huang et al., arXiv 1603.09382).
    """

    def __init__(self, c: int, drop_path: float):
        super().__init__()
        self.drop_path = drop_path
        self.depthwise = nn.Conv2d(c, c, 7, padding=3, groups=c)
        self.linear = nn.Sequential(nn.LayerNorm(c, EPS), nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))
        self.scale = nn.Parameter(torch.full((c,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, (batch, c, h, w)."""
        y = self.linear(self.depthwise(x).movedim(1, -1)) * self.scale  # (batch, h, w, c)
        if self.training and self.drop_path:
            keep = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_path
            y = y * keep / (1 - self.drop_path)
        return x + y.movedim(-1, 1)


@MODELS.register("cnn/convnext")
class ConvNeXt(Network):
    """Four stages of blocks at halving resolution, global average pooling, LayerNorm.

    Args:
        in_channels: image channels.
        image_height: in pixels; at least 16.
        image_width: in pixels; at least 16.
        n_outputs: outputs.
        width: channels of the first stage; each next one has twice as many.
        depth: blocks; a multiple of 6, the stages have 1, 1, 3 and 1 sixths of them.
        drop_path: share of samples for which the last block is skipped in training; rises evenly from 0 at the first.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_height: int,
        image_width: int,
        n_outputs: int,
        width: int = 40,
        depth: int = 12,
        drop_path: float = 0.0,
    ):
        super().__init__()
        check_positive(width=width)
        if depth < 6 or depth % 6:
            raise ValueError(f"depth is a multiple of 6; got {depth}")
        check_size(image_height, image_width, 16)
        if not 0 <= drop_path < 1:
            raise ValueError(f"drop_path is a share, at least 0 and below 1; got {drop_path}")
        rates = iter([drop_path * index / (depth - 1) for index in range(depth)])
        c_in, layers = in_channels, list[nn.Module]()
        for stage, share in enumerate((1, 1, 3, 1)):
            c = width * 2**stage
            halve = nn.Conv2d(c_in, c, 2, 2)
            layers += [halve, ChannelNorm(c, EPS)] if stage == 0 else [ChannelNorm(c_in, EPS), halve]
            layers += [Block(c, next(rates)) for _ in range(share * depth // 6)]
            c_in = c
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(c_in, EPS)
        self.head = nn.Linear(c_in, n_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def features(self, image: Tensor) -> Tensor:
        """Normalised averages of the last maps, (batch, 8 width), for images (batch, in_channels, height, width)."""
        return self.norm(self.blocks(image).mean((2, 3)))
