"""Explain convolutional classifiers of images: heat maps by HiResCAM, and the filters of the first layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.data.splits import Batch
from zoo.inference.predictor import Predictor
from zoo.models.ensemble import Ensemble

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_SIDE = 4  # of the feature maps that are used
ORANGE = (255.0, 150.0, 20.0)


def heat_maps(predictor: Predictor, raw: Any, classes: Sequence[int] | None = None) -> np.ndarray:
    """How much each position of an image contributes to a class, by HiResCAM (R. Draelos, L. Carin, arXiv 2011.08891,
    section 3): the feature maps of the last layer with sides of at least 4, times their gradients, summed over maps,
    positive parts only. Unlike Grad-CAM, it does not average a map's gradient. For an ensemble, the mean over members.

    Args:
        predictor: of images.
        raw: what `Predictor.predict` takes: an image, or several.
        classes: index of a class for each image; None for the predicted ones.

    Returns:
        Values from 0 to 1: (height, width), or (n, height, width) for several images.

    Raises:
        UserError: for a model without convolutions over images, one that is not a classifier, and unknown classes.
    """
    _check(predictor)
    batch, single = predictor.read(raw)
    heat = heat_of_batch(predictor, batch, classes).numpy()
    return heat[0] if single else heat


def heat_pictures(predictor: Predictor, raw: Any, classes: Sequence[int] | None = None) -> "list[Image]":
    """`heat_maps` as images: orange on the dark grey image."""
    _check(predictor)
    batch, _ = predictor.read(raw)
    return to_pictures(overlay_heat(batch["image"], heat_of_batch(predictor, batch, classes)))


def heat_of_batch(predictor: Predictor, batch: Batch, classes: Sequence[int] | None = None) -> Tensor:
    """`heat_maps` (n, height, width) of a batch with `image` (n, channels, height, width)."""
    model = predictor.model
    members = model.members if isinstance(model, Ensemble) else [model]
    if classes is None:
        index = predictor.outputs(batch).argmax(1)  # (n,)
    else:
        index = _index(classes, len(batch["image"]), predictor.spec.n_outputs).to(predictor.device)
    parts, n = [], 0
    for part in predictor.parts(batch):
        part_index = index[n : n + len(part["image"])]
        n += len(part_index)
        parts.append(torch.stack([_hirescam(member, part, part_index) for member in members]).mean(0))
    heat = F.interpolate(torch.cat(parts), size=batch["image"].shape[2:], mode="bilinear")[:, 0]
    return (heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)).cpu()


def _index(classes: Sequence[int], n: int, n_classes: int) -> Tensor:
    index = torch.as_tensor(classes)
    if index.shape != (n,) or index.is_floating_point() or not ((index >= 0) & (index < n_classes)).all():
        raise UserError(f"classes are {n} numbers from 0 to {n_classes - 1}, one for each image; got {classes}")
    return index


@torch.enable_grad()
def _hirescam(model: nn.Module, inputs: Batch, index: Tensor) -> Tensor:
    """Positive contributions (n, 1, h, w) of the last feature maps to the classes `index` (n,)."""
    maps: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and (not maps or min(output.shape[2:]) >= MIN_SIDE):
            maps[:] = [output]

    convolve = [layer for layer in model.modules() if any(map(_convolves, layer.modules()))]  # or contain one that does
    hooks = [layer.register_forward_hook(keep) for layer in convolve]
    try:
        logits = model(**inputs)  # (n, n_classes)
    finally:
        for hook in hooks:
            hook.remove()
    (gradient,) = torch.autograd.grad(logits.gather(1, index[:, None]).sum(), maps)  # (n, n_maps, h, w)
    return (maps[0].detach() * gradient).sum(1, keepdim=True).relu()


def filters(predictor: Predictor) -> Tensor:
    """The weights of the first convolution, (n_filters, channels, height, width); over the image's pixels, if it reads
    squares of them (`PixelUnshuffle`). Raises UserError as `heat_maps` does."""
    first = _check(predictor)[0]
    weight = first.state_dict()["weight"].cpu()
    layers = list(predictor.model.modules())
    squares = next((layer for layer in layers[: layers.index(first)] if isinstance(layer, nn.PixelUnshuffle)), None)
    return weight if squares is None else F.pixel_shuffle(weight, squares.downscale_factor)


def filter_pictures(predictor: Predictor, width: int = 112) -> "list[Image]":
    """`filters` as images, each scaled from its smallest weight (dark) to its largest (bright); in colour for three
    channels, else the mean over channels."""
    weight = filters(predictor)
    weight = weight if weight.shape[1] == 3 else weight.mean(1, keepdim=True)
    low, high = (limit(weight, (1, 2, 3), keepdim=True) for limit in (torch.amin, torch.amax))
    return to_pictures(255 * (weight - low) / (high - low).clamp(min=1e-12), width)


def to_pictures(images: Tensor, width: int = 112) -> "list[Image]":
    """Convert images (n, channels, height, width), 0 to 255, to PIL images, grey unless they have three channels,
    enlarged by a whole number to at most about `width` pixels."""
    from PIL import Image

    times = max(1, width // images.shape[3])
    large = images.byte().repeat_interleave(times, 2).repeat_interleave(times, 3).movedim(1, -1).cpu().numpy()
    return [Image.fromarray(one if one.shape[-1] == 3 else one[..., 0]) for one in large]


def overlay_heat(images: Tensor, heat: Tensor) -> Tensor:
    """Draw `heat` (n, height, width) in orange on images (n, channels, height, width) in dark grey."""
    grey = images.float().mean(1, keepdim=True)
    return grey * 0.5 * (1 - heat[:, None]) + torch.tensor(ORANGE)[:, None, None] * heat[:, None]


def convolutions(predictor: Predictor) -> list[nn.Module]:
    """The layers that convolve images, in order; empty for a model that does not classify images."""
    if "image" not in predictor.spec.inputs or not predictor.task.has_classes:
        return []
    return [layer for layer in predictor.model.modules() if _convolves(layer)]


def _convolves(layer: nn.Module) -> bool:
    weight = getattr(layer, "weight", None)
    return isinstance(weight, Tensor) and weight.dim() == 4


def _check(predictor: Predictor) -> list[nn.Module]:
    layers = convolutions(predictor)
    if not layers:
        takes = ", ".join(predictor.spec.inputs)
        raise UserError(f"heat maps and filters are of convolutional classifiers of images; this model takes {takes}")
    return layers
