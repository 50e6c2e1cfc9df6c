"""Wide ResNet: fewer layers and more channels than a ResNet of the same cost.

S. Zagoruyko, N. Komodakis, "Wide residual networks" (arXiv 1605.07146, section 2 and table 1). WRN-28-10, the paper's
best for CIFAR, is depth=28 widening=10, with 36.5 M parameters.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, init_convolutions, preact_stages
from zoo.models.layers import Network


@MODELS.register("cnn/wide_resnet")
class WideResNet(Network):
    """Three stages of pre-activation blocks at halving resolution, global average pooling.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        depth: layers with weights; 6 n + 4, such as 16, 22, 28 or 40.
        widening: channels of the stages are 16, 32 and 64 times this.
        dropout: share of values zeroed within each block in training.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, depth: int = 16, widening: int = 4, dropout: float = 0.0):
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth is 6 n + 4, such as 16, 22, 28 or 40; got {depth}")
        check_positive(widening=widening)
        widths = [16, 16 * widening, 32 * widening, 64 * widening]
        self.convolutions = preact_stages(in_channels, widths, (depth - 4) // 6, dropout)
        self.head = nn.Linear(widths[-1], n_outputs)
        init_convolutions(self)

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, 64 widening), for images (batch, in_channels, height, width)."""
        return self.convolutions(image).mean((2, 3))
