"""MobileNetV2 for small images.

M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, "MobileNetV2: inverted residuals and linear bottlenecks" (arXiv
1801.04381, table 2).
Deviation: the first convolution and the second stage keep the resolution, for images of about 32 pixels; no dropout
by default.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, conv_norm, init_convolutions
from zoo.models.layers import Network

STAGES = (  # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """A pointwise convolution to more channels, a depthwise 3x3 one, and a linear pointwise one to fewer: (batch, c_in,
    h, w) to (batch, c_out, h / stride, w / stride)."""

    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int):
        super().__init__()
        width = expansion * c_in
        expand = [] if expansion == 1 else [conv_norm(c_in, width, 1), nn.ReLU6()]
        self.layers = nn.Sequential(
            *expand, conv_norm(width, width, stride=stride, groups=width), nn.ReLU6(), conv_norm(width, c_out, 1)
        )
        self.same = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block's output, plus its input if that has the same shape."""
        return x + self.layers(x) if self.same else self.layers(x)


@MODELS.register("cnn/mobilenet_v2")
class MobileNetV2(Network):
    """Seven stages of inverted residual blocks, global average pooling.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        width: factor on all channels, rounded to multiples of 8; the last 1280 are never fewer. 1 has 2.2 M parameters.
        dropout: share of features zeroed before the output in training.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, width: float = 1.0, dropout: float = 0.0):
        super().__init__()
        check_positive(width=width)

        def channels(n: int) -> int:
            return max(8, int(n * width + 4) // 8 * 8)

        c_in = channels(32)
        layers: list[nn.Module] = [conv_norm(in_channels, c_in), nn.ReLU6()]
        for expansion, c, n, stride in STAGES:
            for index in range(n):
                layers.append(InvertedResidual(c_in, channels(c), 1 if index else stride, expansion))
                c_in = channels(c)
        c_out = max(1280, channels(1280))
        self.convolutions = nn.Sequential(*layers, conv_norm(c_in, c_out, 1), nn.ReLU6())
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(c_out, n_outputs)
        init_convolutions(self)

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, 1280 or more), for images (batch, in_channels, height, width)."""
        return self.dropout(self.convolutions(image).mean((2, 3)))
