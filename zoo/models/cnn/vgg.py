"""VGG for small images: 16 layers by default, 11, 13 or 19 by `depth`, with BatchNorm.

K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition" (arXiv 1409.1556,
table 1, columns A, B, D and E).
Deviation: BatchNorm after each convolution; averages over the last maps and one linear layer in place of three, as is
usual for images of 32 pixels; no dropout by default.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, conv_norm, init_convolutions
from zoo.models.layers import Network

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


@MODELS.register("cnn/vgg")
class VGG(Network):
    """Five stages of 3x3 convolutions, each with max pooling at its end.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        depth: 11, 13, 16 or 19, the layers with weights in the paper, three of them fully connected.
        width: channels of the first stage; the next have 2, 4, 8 and 8 times as many.
        dropout: share of features zeroed before the output in training.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, depth: int = 16, width: int = 64, dropout: float = 0.0):
        super().__init__()
        if depth not in CONVOLUTIONS:
            raise ValueError(f"depth is 11, 13, 16 or 19; got {depth}")
        check_positive(width=width)
        layers: list[nn.Module] = []
        c_in = in_channels
        for n, factor in zip(CONVOLUTIONS[depth], (1, 2, 4, 8, 8), strict=True):
            for _ in range(n):
                layers += [*conv_norm(c_in, factor * width), nn.ReLU()]
                c_in = factor * width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.convolutions = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(c_in, n_outputs)
        init_convolutions(self)

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, 8 width), for images (batch, in_channels, height, width)."""
        return self.dropout(self.convolutions(image).mean((2, 3)))
