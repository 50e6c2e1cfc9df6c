"""ResNet for small images: 20 layers by default, 32, 44, 56 or 110 by `depth`.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition" (arXiv 1512.03385, section 4.2), with
the paper's parameter-free shortcut (option A). ResNet-20 has 0.27 M parameters on CIFAR-10.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, conv_norm, init_convolutions
from zoo.models.layers import Network


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (batch, c_in, h, w) to (batch, c_out, h / stride, w / stride)."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.stride, self.c_new = stride, c_out - c_in
        self.residual = nn.Sequential(conv_norm(c_in, c_out, stride=stride), nn.ReLU(), conv_norm(c_out, c_out))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, after the activation."""
        return F.relu(self.residual(x) + self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        """Option A: every stride-th pixel, and zeros for the new channels."""
        if self.stride == 1 and self.c_new == 0:
            return x
        before = self.c_new // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.c_new - before))


@MODELS.register("cnn/resnet")
class ResNet(Network):
    """A 3x3 convolution, three stages of basic blocks at halving resolution, global average pooling.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        depth: layers with weights; 6 n + 2, such as 20, 32, 44, 56 or 110.
        width: channels of the first stage; the next two have twice and four times as many.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, depth: int = 20, width: int = 16):
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth is 6 n + 2, such as 20, 32, 44, 56 or 110; got {depth}")
        check_positive(width=width)
        layers: list[nn.Module] = [conv_norm(in_channels, width), nn.ReLU()]
        c_in = width
        for stage, c_out in enumerate((width, 2 * width, 4 * width)):
            for index in range((depth - 2) // 6):
                layers.append(BasicBlock(c_in, c_out, stride=2 if stage and index == 0 else 1))
                c_in = c_out
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(c_in, n_outputs)
        init_convolutions(self)

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, 4 width), for images (batch, in_channels, height, width)."""
        return self.convolutions(image).mean((2, 3))
