"""Small CNN: four unpadded 3x3 convolutions over a half-resolution image; the family's default.

Ours. Pixels of each 2x2 square become channels (space to depth, the inverse of W. Shi et al., arXiv 1609.05158, section
2.2), so that all convolutions work on a quarter of the pixels; the maximum over all pixels makes the head small.
"""

import torch
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive
from zoo.models.layers import ACTIVATIONS, Network


@MODELS.register("cnn/small")
class SmallCNN(Network):
    """Two convolutions, max pooling, two convolutions, maximum over all pixels, linear output.

    Args:
        in_channels: image channels.
        image_height: in pixels; even, at least 28.
        image_width: in pixels; even, at least 28.
        n_outputs: outputs.
        width: channels of the first convolution; each next one has twice as many.
        activation: a name of `zoo.models.layers.ACTIVATIONS`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_height: int,
        image_width: int,
        n_outputs: int,
        width: int = 16,
        activation: str = "relu",
    ):
        super().__init__()
        if min(image_height, image_width) < 28 or image_height % 2 or image_width % 2:
            raise ValueError(f"images have even sides of at least 28 pixels; got {image_height} by {image_width}")
        check_positive(width=width)
        act = ACTIVATIONS.get(activation)

        def block(c_in: int, c_out: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(c_in, c_out, 3, bias=False), nn.BatchNorm2d(c_out), act())

        self.convolutions = nn.Sequential(
            nn.PixelUnshuffle(2),
            block(4 * in_channels, width),
            block(width, 2 * width),
            nn.MaxPool2d(2),
            block(2 * width, 4 * width),
            block(4 * width, 8 * width),
        )
        self.head = nn.Linear(8 * width, n_outputs)

    def features(self, image: Tensor) -> Tensor:
        """The largest value of each channel, (batch, 8 width), for images (batch, in_channels, height, width)."""
        return torch.amax(self.convolutions(image), dim=(2, 3))
