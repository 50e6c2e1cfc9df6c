"""A network for training in minutes: whitened patches, identity-like convolutions, norms without scales.

Ours, on the published facts of K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv 2404.00498,
section 3): the first layer is not learned but whitens patches of 2 x 2 pixels (after D. Page, "How to train your
ResNet", 2018), each convolution starts as the identity (S. Zagoruyko, N. Komodakis, arXiv 1706.00388), BatchNorm has
shifts but no scales, and the features are scaled down before the output. With `depth` 3 it
has shortcuts, as the largest network of section 4.
"""

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.cnn._layers import Convolution, check_positive, check_size
from zoo.models.layers import Network

PLACES = 5_000 * 32 * 32  # with patches to fit the first layer to
FEATURE_SCALE = 1 / 9


class Whitening(nn.Module):
    """The principal components of 2 x 2 patches, at equal variance, each with both signs: (batch, c, h, w) to (batch,
    8 c, h - 1, w - 1). Fitted, not learned."""

    weight: Tensor

    def __init__(self, c: int):
        super().__init__()
        self.register_buffer("weight", torch.empty(8 * c, c, 2, 2))
        self._set(torch.eye(4 * c))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the components of each patch."""
        return F.conv2d(x, self.weight)

    def fit(self, images: Tensor) -> None:
        """Fit the components to images (n, c, h, w)."""
        patches = F.unfold(images, 2).movedim(1, 2).reshape(-1, 4 * images.shape[1])  # (n * places, 4 c)
        self._set(patches.T.cov())

    def _set(self, covariance: Tensor) -> None:
        values, vectors = torch.linalg.eigh(covariance)
        components = (vectors / (values + 5e-4).sqrt()).T.reshape(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([components, -components]))


class Residual(nn.Sequential):
    """Layers with a shortcut around them: (batch, c, h, w) to the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the input to the layers' output."""
        return x + super().forward(x)


class ShiftNorm(nn.BatchNorm2d):
    """BatchNorm that learns a shift for each channel, and no scale."""

    def __init__(self, c: int):
        super().__init__(c, momentum=0.4)
        self.register_parameter("weight", None)


@MODELS.register("cnn/fast")
class FastCNN(Network):
    """Whitened patches, then three stages of a 3x3 convolution, max pooling and `depth` - 1 more convolutions, with a
    shortcut around them if they are two or more.

    Args:
        in_channels: image channels.
        image_height: in pixels; at least 9.
        image_width: in pixels; at least 9.
        n_outputs: outputs.
        width: channels of the first stage; the next two have four times as many.
        depth: convolutions of a stage.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_height: int,
        image_width: int,
        n_outputs: int,
        width: int = 64,
        depth: int = 2,
    ):
        super().__init__()
        check_positive(width=width, depth=depth)
        check_size(image_height, image_width, 9)
        self.whitening = Whitening(in_channels)
        layers: list[nn.Module] = [nn.GELU()]
        c = 8 * in_channels
        for c_out in (width, 4 * width, 4 * width):
            layers += [_convolution(c, c_out), nn.MaxPool2d(2), ShiftNorm(c_out), nn.GELU()]
            more: list[nn.Module] = []
            for _ in range(depth - 1):
                more += [_convolution(c_out, c_out), ShiftNorm(c_out), nn.GELU()]
            layers += more if depth < 3 else [Residual(*more[:-1]), nn.GELU()]
            c = c_out
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(c, n_outputs, bias=False)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the first layer to the first images."""
        images: list[Tensor] = []
        for batch in inputs:
            images.append(batch["image"])
            n = -(-PLACES // images[0][0, 0].numel())
            if sum(map(len, images)) >= n:
                break
        self.whitening.fit(torch.cat(images)[:n])

    def features(self, image: Tensor) -> Tensor:
        """The largest value of each channel, (batch, 4 width), for images (batch, in_channels, height, width)."""
        return torch.amax(self.convolutions(self.whitening(image)), dim=(2, 3)) * FEATURE_SCALE


def _convolution(c_in: int, c_out: int) -> Convolution:
    """A 3x3 convolution initialised to pass its input through in its first channels."""
    convolution = Convolution(c_in, c_out)
    nn.init.dirac_(convolution.weight[: min(c_in, c_out)].data)
    return convolution
