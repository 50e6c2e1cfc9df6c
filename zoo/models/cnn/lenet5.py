"""LeNet-5, the convolutional network that read cheques.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 1998,
section II.B.
Deviation: every map of C3 reads every map of S2; pooling has no weights of its own; tanh is not scaled; the output
layer is linear, with cross entropy in place of radial basis functions; images of fewer than 32 rows are padded by 2
pixels on each side, so that 28 become 32.
"""

from torch import Tensor, nn

from zoo.core.registry import Registry
from zoo.models import MODELS
from zoo.models.layers import ACTIVATIONS, Network

POOLS: Registry[type[nn.Module]] = Registry("pool", "POOLS")
POOLS.register("avg")(nn.AvgPool2d)
POOLS.register("max")(nn.MaxPool2d)


@MODELS.register("cnn/lenet5")
class LeNet5(Network):
    """Two convolutions with pooling, then three fully connected layers.

    Args:
        in_channels: image channels.
        image_height: in pixels; 32 in the paper, at least 16.
        image_width: in pixels.
        n_outputs: outputs.
        activation: a name of `zoo.models.layers.ACTIVATIONS`; the paper's is "tanh", scaled.
        pool: "avg" as in the paper, or "max".
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_height: int,
        image_width: int,
        n_outputs: int,
        activation: str = "tanh",
        pool: str = "avg",
    ):
        super().__init__()
        act, pool_2d = ACTIVATIONS.get(activation), POOLS.get(pool)
        padding = 2 if image_height < 32 else 0
        height, width = (((size + 2 * padding - 4) // 2 - 4) // 2 for size in (image_height, image_width))
        if min(height, width) < 1:
            raise ValueError(f"images are at least 16 by 16 pixels; got {image_height} by {image_width}")
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=padding),  # C1
            act(),
            pool_2d(2),  # S2
            nn.Conv2d(6, 16, 5),  # C3
            act(),
            pool_2d(2),  # S4
        )
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * height * width, 120),  # C5
            act(),
            nn.Linear(120, 84),  # F6
            act(),
        )
        self.head = nn.Linear(84, n_outputs)

    def features(self, image: Tensor) -> Tensor:
        """F6, (batch, 84), for images (batch, in_channels, height, width)."""
        return self.hidden(self.convolutions(image))
