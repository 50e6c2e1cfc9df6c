"""Where a convolutional network looks, and what its first layer looks for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.data.splits import Batch
from zoo.errors import UserError
from zoo.prediction import Predictor

PLACES = 4  # along each axis, of maps that are worth to be looked at


def heat_maps(predictor: Predictor, raw: Any, classes: Sequence[int] | None = None) -> np.ndarray:
    """How much each place of an image speaks for a class, by HiResCAM (R. Draelos, L. Carin, arXiv 2011.08891, section
    3), the Grad-CAM that is faithful to where each map is used: the last maps before they are pooled, each place times
    its gradient, where their sum speaks for the class.

    Args:
        predictor: of images.
        raw: what its `predict` takes: an image, or several.
        classes: the number of a class for each image; None takes the class that is answered.

    Returns:
        Values from 0 to 1: (height, width), or (n, height, width) for several images.

    Raises:
        UserError: for a model that has no convolution over images, or is no classifier.
    """
    _checked(predictor)
    batch, single = predictor.read(raw)
    heat = heat_of(predictor, batch, classes).numpy()
    return heat[0] if single else heat


def heat_of(predictor: Predictor, batch: Batch, classes: Sequence[int] | None = None) -> Tensor:
    """`heat_maps` of a batch with `image` (n, channels, height, width): (n, height, width)."""
    maps: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and min(output.shape[2:]) >= PLACES:
            maps[:] = [output]

    hooks = [module.register_forward_hook(keep) for module in predictor.model.modules()]
    try:
        logits = predictor.model(**predictor.to_device(batch))  # (n, n_classes)
    finally:
        for hook in hooks:
            hook.remove()
    index = logits.argmax(1) if classes is None else torch.as_tensor(classes, device=logits.device)
    (gradient,) = torch.autograd.grad(logits.gather(1, index[:, None]).sum(), maps)  # (n, n_maps, h, w)
    heat = (maps[0].detach() * gradient).sum(1, keepdim=True).relu()
    heat = F.interpolate(heat, size=batch["image"].shape[2:], mode="bilinear")[:, 0]
    return (heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)).cpu()


def filters(predictor: Predictor) -> Tensor:
    """The first convolution's weights, (n_filters, channels, height, width); UserError as of `heat_maps`."""
    return _checked(predictor)[0].get_parameter("weight").detach().cpu()


def convolutions(predictor: Predictor) -> list[nn.Conv2d]:
    """The layers that convolve images, in order; none of a model that does not classify images."""
    if "image" not in predictor.spec.inputs or not predictor.spec.class_names:
        return []
    return [layer for layer in predictor.model.modules() if isinstance(layer, nn.Conv2d)]


def _checked(predictor: Predictor) -> list[nn.Conv2d]:
    layers = convolutions(predictor)
    if not layers:
        takes = ", ".join(predictor.spec.inputs)
        raise UserError(f"heat maps and filters are of convolutional classifiers of images; this model takes {takes}")
    return layers
