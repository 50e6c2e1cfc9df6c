"""ResNet for small images: 20 layers by default, 32, 44 or 56 by `depth`.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition" (arXiv 1512.03385, section 4.2), with
the paper's parameter-free shortcut (option A). ResNet-20 has 0.27 M parameters on CIFAR-10.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import Network


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (batch, c_in, h, w) to (batch, c_out, h / stride, w / stride)."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.stride, self.c_new = stride, c_out - c_in
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, after the activation."""
        out = F.relu(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        return F.relu(out + self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        """Option A: every stride-th pixel, and zeros for the new channels."""
        if self.stride == 1 and self.c_new == 0:
            return x
        before = self.c_new // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.c_new - before))


@MODELS.register("cnn/resnet20")
class ResNet(Network):
    """A 3x3 convolution, three stages of basic blocks at halving resolution, global average pooling.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        depth: layers with weights; 6 n + 2, such as 20, 32, 44 or 56.
        width: channels of the first stage; the next two have twice and four times as many.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, depth: int = 20, width: int = 16):
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth is 6 n + 2, such as 20, 32, 44 or 56; got {depth}")
        if width < 1:
            raise ValueError(f"width is at least 1; got {width}")
        n_blocks = (depth - 2) // 6
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        blocks, c_in = [], width
        for stage, c_out in enumerate((width, 2 * width, 4 * width)):
            for index in range(n_blocks):
                blocks.append(BasicBlock(c_in, c_out, stride=2 if stage and index == 0 else 1))
                c_in = c_out
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(c_in, n_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, 4 width), for images (batch, in_channels, height, width)."""
        return self.blocks(self.stem(image)).mean((2, 3))
