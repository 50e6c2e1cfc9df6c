"""DenseNet-BC for small images: each layer reads the maps of all layers before it in its block.

G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely connected convolutional networks" (arXiv 1608.06993,
section 3 and table 2): DenseNet-BC with depth=100 growth=12 has 0.8 M parameters.
"""

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import Convolution, check_positive, check_size, init_convolutions
from zoo.models.layers import Network


class DenseLayer(nn.Module):
    """BatchNorm, ReLU and a 1x1 convolution to 4 `growth` channels, then the same with a 3x3 one to `growth`: (batch,
    c_in, h, w) to (batch, c_in + growth, h, w)."""

    def __init__(self, c_in: int, growth: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(c_in),
            nn.ReLU(),
            Convolution(c_in, 4 * growth, 1),
            nn.BatchNorm2d(4 * growth),
            nn.ReLU(),
            Convolution(4 * growth, growth),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Append the new maps to the input's."""
        return torch.cat([x, self.layers(x)], dim=1)


@MODELS.register("cnn/densenet")
class DenseNet(Network):
    """Three dense blocks, halving maps and resolution from one to the next, and global average pooling.

    Args:
        in_channels: image channels.
        image_height: in pixels; at least 4.
        image_width: in pixels; at least 4.
        n_outputs: outputs.
        depth: layers with weights; 6 n + 4, such as 40, 100, 190 or 250.
        growth: channels that each layer adds.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_height: int,
        image_width: int,
        n_outputs: int,
        depth: int = 100,
        growth: int = 12,
    ):
        super().__init__()
        check_size(image_height, image_width, 4)
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth is 6 n + 4, such as 40, 100, 190 or 250; got {depth}")
        check_positive(growth=growth)
        c = 2 * growth
        layers: list[nn.Module] = [Convolution(in_channels, c)]
        for block in range(3):
            if block:
                layers += [*_norm(c), Convolution(c, c // 2, 1), nn.AvgPool2d(2)]
                c //= 2
            for _ in range((depth - 4) // 6):
                layers.append(DenseLayer(c, growth))
                c += growth
        self.convolutions = nn.Sequential(*layers, *_norm(c))
        self.head = nn.Linear(c, n_outputs)
        init_convolutions(self)

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, d_features), for images (batch, in_channels, height, width)."""
        return self.convolutions(image).mean((2, 3))


def _norm(c: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(c), nn.ReLU()]
