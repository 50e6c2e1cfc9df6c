"""TrivialAugment: one random operation on each image (S. Mueller, F. Hutter, arXiv 2103.10158)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.augment.colour import blend, change_brightness, change_contrast, change_saturation, uniform
from zoo.data.augment.geometry import affine
from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.splits import Batch

MAX_SHIFT = 32  # pixels


@AUGMENTATIONS.register("trivial")
def trivial(batch: Batch) -> Batch:
    """Apply one random operation of random strength to each image (table 1, the wide ranges). Deviation: a batch is
    divided evenly, at random, between the operations."""
    image = batch["image"].float()
    strength, changed = uniform(image), image.clone()
    order = torch.randperm(len(image), device=image.device)
    first = int(torch.randint(len(OPERATIONS), ()))  # on the CPU, so as not to wait for the device
    for number, index in enumerate(order.tensor_split(len(OPERATIONS)), first):
        if len(index):
            changed[index] = OPERATIONS[number % len(OPERATIONS)](image[index], strength[index])
    return {**batch, "image": changed}


def _sharpness(image: Tensor, factor: Tensor) -> Tensor:
    """`blend` with the mean over 3 x 3 pixels, the middle one counted five times; the edge is not changed."""
    smooth, inner = image.clone(), image[..., 1:-1, 1:-1]
    smooth[..., 1:-1, 1:-1] = (9 * F.avg_pool2d(image, 3, 1) + 4 * inner) / 13
    return blend(image, smooth, factor)


def _posterize(image: Tensor, strength: Tensor) -> Tensor:
    size = 2 ** (6 * strength.abs()).round()  # of a step of grey levels, up to 64
    return (image / size).floor() * size


def _solarize(image: Tensor, strength: Tensor) -> Tensor:
    return torch.where(image >= 255 * (1 - strength.abs()), 255 - image, image)


def _autocontrast(image: Tensor, _: Tensor) -> Tensor:
    low, high = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
    return torch.where(high > low, (image - low) * 255 / (high - low).clamp(min=1), image)


def _equalize(image: Tensor, _: Tensor) -> Tensor:
    """Rank each channel's pixels by how many are darker, in steps, as PIL's ImageOps.equalize does. A channel with
    fewer than 255 pixels darker than its brightest is not changed."""
    flat = image.flatten(2).contiguous()
    darker = torch.searchsorted(flat.sort(-1).values, flat)
    step = darker.amax(-1, keepdim=True) // 255
    equal = (darker + step // 2) // step.clamp(min=1)
    return torch.where(step > 0, equal.clamp(max=255), flat).view_as(image)


OPERATIONS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    lambda image, _: image,
    lambda image, strength: change_brightness(image, 1 + 0.99 * strength),
    lambda image, strength: change_contrast(image, 1 + 0.99 * strength),
    lambda image, strength: change_saturation(image, 1 + 0.99 * strength),
    lambda image, strength: _sharpness(image, 1 + 0.99 * strength),
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
    lambda image, strength: affine(image, turn=135 * strength[:, 0, 0, 0]),
    lambda image, strength: affine(image, shear_x=0.99 * strength[:, 0, 0, 0]),
    lambda image, strength: affine(image, shear_y=0.99 * strength[:, 0, 0, 0]),
    lambda image, strength: affine(image, shift_x=strength[:, 0, 0, 0] * MAX_SHIFT / (image.shape[3] / 2)),
    lambda image, strength: affine(image, shift_y=strength[:, 0, 0, 0] * MAX_SHIFT / (image.shape[2] / 2)),
)
