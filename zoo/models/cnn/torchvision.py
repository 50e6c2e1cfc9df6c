"""Any convolutional classifier of torchvision, with its stem adapted to small images.

torchvision.models names the paper of each. A first convolution that skips pixels is made for images of 224; for images
under 64 pixels a 3x3 convolution that keeps the resolution replaces it, and the pooling right after it is left out
(as in K. He et al., arXiv 1512.03385, section 4.2).
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.atomic_files import sha256_of
from zoo.core.errors import UserError, unknown_name
from zoo.models import MODELS
from zoo.models.layers import Network

TRANSFORMERS = ("vit_", "swin_", "maxvit")
OPTIONS = {"aux_logits": False, "init_weights": True}  # of the two Inception networks
OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)")  # in the files of DenseNets, with an extra dot
SMALL = 64  # pixels; the stem is adapted to smaller images


@MODELS.register("cnn/torchvision")
class Torchvision(Network):
    """A network of torchvision.models with a last linear layer for the data.

    Args:
        in_channels: image channels.
        image_height: in pixels.
        image_width: in pixels.
        n_outputs: outputs.
        architecture: a name of torchvision's, such as "resnet18" or "efficientnet_b0".
        pretrained: whether training starts from torchvision's own best weights, for ImageNet, in all layers but those
            made for the data.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_height: int,
        image_width: int,
        n_outputs: int,
        architecture: str = "resnet18",
        pretrained: bool = False,
    ):
        super().__init__()
        size = (in_channels, image_height, image_width)
        with torch.device("meta"):  # shapes only
            body, d_features = _body(architecture, *size)
            try:
                body.eval()(torch.empty(1, *size))
            except RuntimeError as error:
                raise ValueError(
                    f"{architecture} cannot read images of {image_height} by {image_width} pixels"
                ) from error
        self.body, _ = _body(architecture, *size)
        self.head = nn.Linear(d_features, n_outputs)
        self.pretrained = architecture if pretrained else None

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Load torchvision's weights if `pretrained`; a trained model's file does not need them."""
        if self.pretrained:
            own, theirs = self.body.state_dict(), _fetch(self.pretrained)
            for name, value in own.items():
                if name in theirs and theirs[name].shape == value.shape:
                    own[name] = theirs[name]
                elif name not in theirs and not name.endswith("num_batches_tracked"):
                    raise UserError(
                        f"torchvision's weights of {self.pretrained} lack {name}; take another architecture"
                    )
            self.body.load_state_dict(own)

    def features(self, image: Tensor) -> Tensor:
        """Input of the last linear layer, (batch, d_features), for images (batch, in_channels, height, width)."""
        return self.body(image)


def _fetch(architecture: str) -> dict[str, Tensor]:
    """Load torchvision's weights from torch's cache, or download them; the hash in the file's name is checked."""
    from torchvision.models import get_model_weights

    url: str = get_model_weights(architecture).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.exists() and not sha256_of(path).startswith(path.stem.rpartition("-")[2]):
        raise UserError(f"{path} is damaged: its hash is not the one in its name; remove it to download it again")
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=sys.stderr.isatty(), check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"torchvision's weights of {architecture} could not be downloaded: {error}\nput the file {url} at {path}"
        ) from error
    return {OLD_NAME.sub(r"\1\2", name): value for name, value in state.items()}


def _body(architecture: str, in_channels: int, height: int, width: int) -> tuple[nn.Module, int]:
    """The network up to its features, and their number."""
    from torchvision import models

    names = [name for name in models.list_models(module=models) if not name.startswith(TRANSFORMERS)]
    if architecture not in names:
        raise unknown_name("architecture of torchvision", architecture, names)
    options: dict[str, Any] = OPTIONS if architecture in ("googlenet", "inception_v3") else {}
    body = models.get_model(architecture, weights=None, **options)
    layers = {name: layer for name, layer in body.named_modules() if not list(layer.children())}
    _adapt_stem(body, layers, in_channels, small=min(height, width) < SMALL)
    if isinstance(body, models.SqueezeNet):  # its last layer is a convolution
        body.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1))
        return body, 512
    last, head = [(name, layer) for name, layer in layers.items() if isinstance(layer, nn.Linear)][-1]
    body.set_submodule(last, nn.Identity())
    return body, head.in_features


def _adapt_stem(body: nn.Module, layers: dict[str, nn.Module], in_channels: int, small: bool) -> None:
    """Give the first convolution the data's channels; for small images, make stem and pooling keep the resolution."""
    order = list(layers)
    first = next(index for index, name in enumerate(order) if isinstance(layers[name], nn.Conv2d))
    old: Any = layers[order[first]]
    new: dict[str, Any] = {"kernel_size": old.kernel_size, "stride": old.stride, "padding": old.padding}
    if small and old.stride != (1, 1):
        new = {"kernel_size": 3, "stride": 1, "padding": 1}
        for name in order[first + 1 : first + 4]:
            if isinstance(layers[name], nn.MaxPool2d):
                body.set_submodule(name, nn.Identity())
    bias = old.bias is not None
    body.set_submodule(order[first], nn.Conv2d(in_channels, old.out_channels, **new, bias=bias))
