"""Add noise to inputs, or erase parts of images."""

import torch
from torch import Tensor

from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.augment.sequence_batch import valid_steps
from zoo.data.splits import Batch


@AUGMENTATIONS.register("noise")
def noise(batch: Batch, *, name: str, std: float) -> Batch:
    """Add Gaussian noise to the input `name`, but for the padding of sequences; `std` is in the input's units."""
    values = batch[name] if batch[name].is_floating_point() else batch[name].float()
    drawn = std * torch.randn_like(values)
    return {**batch, name: values + (drawn * valid_steps(batch) if name == "sequence" else drawn)}


@AUGMENTATIONS.register("cutout")
def cutout(batch: Batch, *, size: int = 8) -> Batch:
    """Fill a square at a random position, which may reach beyond the image, with the image's mean (T. DeVries, G.
    Taylor, arXiv 1708.04552).

    Args:
        batch: with `image` (batch, channels, height, width).
        size: side of the square, in pixels.
    """
    image = batch["image"].float()
    side = torch.full((len(image),), float(size), device=image.device)
    return {**batch, "image": torch.where(random_box(image, side, side), image.mean((2, 3), keepdim=True), image)}


@AUGMENTATIONS.register("erase")
def erase(batch: Batch, *, p: float = 0.5, largest: float = 0.33) -> Batch:
    """Fill a rectangle of random size, shape and position with random pixels (Z. Zhong et al., arXiv 1708.04896).
    Deviation: it may reach beyond the image.

    Args:
        batch: with `image` (batch, channels, height, width).
        p: share of images that are changed.
        largest: largest area of a rectangle, as a share of the image's; the smallest is 0.02.
    """
    image = batch["image"].float()
    n, _, h, w = image.shape
    area, log_ratio, chosen = torch.rand(3, n, device=image.device)
    area = (0.02 + (largest - 0.02) * area) * h * w * (chosen < p)
    ratio = 0.3 ** (2 * log_ratio - 1)  # of height to width, 0.3 to 3.3
    erased = random_box(image, (area * ratio).sqrt(), (area / ratio).sqrt())
    return {**batch, "image": torch.where(erased, torch.rand_like(image) * 255, image)}


def random_box(image: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """A mask (batch, 1, h, w) of one box in each image, with its centre at a random position in the image.

    Args:
        image: (batch, channels, h, w).
        height, width: of the boxes, in pixels, (batch,).
    """
    n, _, h, w = image.shape
    y, x = torch.rand(2, n, 1, device=image.device)
    rows = (torch.arange(h, device=image.device) + 0.5 - y * h).abs() < height[:, None] / 2  # (batch, h)
    columns = (torch.arange(w, device=image.device) + 0.5 - x * w).abs() < width[:, None] / 2
    return rows[:, None, :, None] & columns[:, None, None, :]
