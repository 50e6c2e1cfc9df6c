"""Change brightness, contrast and saturation."""

import torch
from torch import Tensor

from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.splits import Batch

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


@AUGMENTATIONS.register("colour")
def colour(batch: Batch, *, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0) -> Batch:
    """Scale the brightness, the contrast (distance from the mean) and the saturation (distance from grey) of each image
    by random factors.

    Args:
        batch: with `image` (batch, channels, height, width).
        brightness, contrast, saturation: largest difference of the factor from 1; it is never below 0.
    """
    image = batch["image"].float()
    for change, blend in (
        (brightness, change_brightness),
        (contrast, change_contrast),
        (saturation, change_saturation),
    ):
        if change:
            image = blend(image, (1 + change * uniform(image)).clamp(min=0))
    return {**batch, "image": image}


def uniform(image: Tensor) -> Tensor:
    """A random number from -1 to 1 for each image, (batch, 1, 1, 1)."""
    return torch.rand(len(image), 1, 1, 1, device=image.device) * 2 - 1


def blend(image: Tensor, other: Tensor | float, factor: Tensor) -> Tensor:
    """Interpolate from `other` (factor 0) to the image (1), and extrapolate above 1."""
    return (other + (image - other) * factor).clamp(0, 255)


def grey(image: Tensor) -> Tensor:
    """Luminance of RGB images, else the mean over channels, (batch, 1, height, width)."""
    if image.shape[1] != 3:
        return image.mean(1, keepdim=True)
    return sum(share * channel for share, channel in zip(LUMA, image.split(1, dim=1), strict=True))


def change_brightness(image: Tensor, factor: Tensor) -> Tensor:
    """`blend` with black."""
    return blend(image, 0.0, factor)


def change_contrast(image: Tensor, factor: Tensor) -> Tensor:
    """`blend` with the image's mean grey."""
    return blend(image, grey(image).mean((2, 3), keepdim=True), factor)


def change_saturation(image: Tensor, factor: Tensor) -> Tensor:
    """`blend` with the grey image."""
    return blend(image, grey(image), factor)
