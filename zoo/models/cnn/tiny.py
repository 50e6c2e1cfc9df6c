"""Tiny CNN for digits: 1,810 parameters on 28 x 28 grey images.

Ours, with the separable convolutions of MobileNet (A. Howard et al., arXiv 1704.04861, section 3.1): a depthwise 3x3
convolution and a pointwise one together have a sixth of the weights of a full one of 16 channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, check_size, conv_norm
from zoo.models.layers import Network


class Separable(nn.Module):
    """Depthwise 3x3 and pointwise convolution, BatchNorm, a shortcut if the channels are the same, ReLU: (batch, c_in,
    h, w) to (batch, c_out, h, w)."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.depthwise = nn.Conv2d(c_in, c_in, 3, padding=1, groups=c_in, bias=False)
        self.pointwise = conv_norm(c_in, c_out, 1)
        self.same = c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, after the activation."""
        out = self.pointwise(self.depthwise(x))
        return F.relu(out + x if self.same else out)


@MODELS.register("cnn/tiny")
class TinyCNN(Network):
    """A 3x3 convolution and six separable ones, max pooling after the first and the fourth, maximum over all pixels.

    Args:
        in_channels: image channels.
        image_height: in pixels; at least 4.
        image_width: in pixels; at least 4.
        n_outputs: outputs.
        width: channels until the second pooling, then twice as many; multiples of 8 are the fastest.
    """

    def __init__(self, *, in_channels: int, image_height: int, image_width: int, n_outputs: int, width: int = 8):
        super().__init__()
        check_positive(width=width)
        check_size(image_height, image_width, 4)
        self.convolutions = nn.Sequential(
            conv_norm(in_channels, width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            Separable(width, width),
            Separable(width, width),
            Separable(width, width),
            nn.MaxPool2d(2),
            Separable(width, 2 * width),
            Separable(2 * width, 2 * width),
            Separable(2 * width, 2 * width),
        )
        self.head = nn.Linear(2 * width, n_outputs)

    def features(self, image: Tensor) -> Tensor:
        """The largest value of each channel, (batch, 2 width), for images (batch, in_channels, height, width)."""
        return torch.amax(self.convolutions(image), dim=(2, 3))
