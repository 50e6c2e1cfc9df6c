"""Small CNN: three unpadded 3x3 convolutions over a half-resolution image; the family's default.

Ours. Pixels of each 2x2 square become channels (space to depth, as in W. Shi et al., arXiv 1609.05158), so that the
first convolution already works at a quarter of the cost; the maximum over all places makes the head small.
"""

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import ACTIVATIONS, Network


@MODELS.register("cnn/small")
class SmallCNN(Network):
    """Convolution, convolution, max pooling, convolution, maximum over all places, linear output.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        width: channels of the first convolution; the second has 4/3 as many, the third four times.
        activation: a name of `zoo.models.layers.ACTIVATIONS`.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, width: int = 24, activation: str = "relu"):
        super().__init__()
        if width < 3 or width % 3:
            raise ValueError(f"width is a multiple of 3; got {width}")
        act = ACTIVATIONS.get(activation)

        def block(c_in: int, c_out: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(c_in, c_out, 3, bias=False), nn.BatchNorm2d(c_out), act())

        self.convolutions = nn.Sequential(
            nn.PixelUnshuffle(2),
            block(4 * in_channels, width),
            block(width, width * 4 // 3),
            nn.MaxPool2d(2),
            block(width * 4 // 3, 4 * width),
        )
        self.head = nn.Linear(4 * width, n_outputs)

    def features(self, image: Tensor) -> Tensor:
        """The largest value of each channel, (batch, 4 width), for images (batch, in_channels, height, width)."""
        return torch.amax(self.convolutions(image), dim=(2, 3))
