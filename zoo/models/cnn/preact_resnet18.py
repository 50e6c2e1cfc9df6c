"""Pre-activation ResNet-18 for small images.

K. He, X. Zhang, S. Ren, J. Sun, "Identity mappings in deep residual networks" (arXiv 1603.05027, section 3), with the
stages of ResNet-18 (arXiv 1512.03385, table 1).
Deviation: a 3x3 convolution of stride 1 in place of the 7x7 one and its pooling, for images of about 32 pixels; the
first block's shortcut starts before the first activation, in the paper after it.
"""

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import check_positive, init_convolutions, preact_stages
from zoo.models.layers import Network


@MODELS.register("cnn/preact_resnet18")
class PreActResNet18(Network):
    """Four stages of two pre-activation blocks at halving resolution, global average pooling.

    Args:
        in_channels: image channels.
        n_outputs: outputs.
        width: channels of the first stage; each next one has twice as many. 64 in the paper, with 11.2 M parameters.
    """

    def __init__(self, *, in_channels: int, n_outputs: int, width: int = 64):
        super().__init__()
        check_positive(width=width)
        self.convolutions = preact_stages(in_channels, [width, width, 2 * width, 4 * width, 8 * width], n_blocks=2)
        self.head = nn.Linear(8 * width, n_outputs)
        init_convolutions(self)

    def features(self, image: Tensor) -> Tensor:
        """Averages over the last maps, (batch, 8 width), for images (batch, in_channels, height, width)."""
        return self.convolutions(image).mean((2, 3))
