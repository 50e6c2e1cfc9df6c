"""Variants of images whose predictions are averaged in evaluation."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor

Views = Callable[[Tensor], list[Tensor]]  # from images (batch, channels, height, width) to variants of them


def _mirror(image: Tensor) -> list[Tensor]:
    """The images and their mirror images."""
    return [image, image.flip(3)]


def _shift(image: Tensor) -> list[Tensor]:
    """The images, and these shifted by a pixel down and right, and up and left."""
    padded, (h, w) = F.pad(image.float(), (1, 1, 1, 1), mode="reflect"), image.shape[2:]
    return [padded[:, :, at : at + h, at : at + w] for at in (1, 0, 2)]


def _mirror_shift(image: Tensor) -> list[Tensor]:
    return [view for shifted in _shift(image) for view in _mirror(shifted)]


VIEWS: Mapping[str, Views] = {"mirror": _mirror, "shift": _shift, "mirror_shift": _mirror_shift}
