"""Moving pixels: images warped, mirrored, cropped, resized."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.splits import Batch


@AUGMENTATIONS.register("warp")
def warp(batch: Batch, *, shift: float = 0.0, rotate: float = 0.0, scale: float = 0.0, bend: float = 0.0) -> Batch:
    """Move, turn, resize and bend each image by random amounts; black comes in at the edges.

    Bending is elastic distortion (P. Simard et al., ICDAR 2003, section 2): random shifts at a grid of 5 x 5 points,
    smooth in between.

    Args:
        batch: with `image` (batch, channels, height, width).
        shift: largest move along each axis, as a share of the image's size.
        rotate: largest turn, in degrees.
        scale: largest change of size, as a share.
        bend: largest shift of a grid point along each axis, as a share of the image's size.
    """
    if not 0 <= scale < 1:
        raise ValueError(f"scale is at least 0 and below 1; got {scale}")
    image = batch["image"].float()
    n, _, height, width = image.shape
    device = image.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(n, *shape, device=device) * 2 - 1

    angle = uniform(1, 1) * math.radians(rotate)
    factor = 1 + uniform(1, 1) * scale
    cos, sin = angle.cos() * factor, angle.sin() * factor
    x = _centres(width, device)  # (w,)
    y = _centres(height, device)[:, None]  # (h, 1)
    aspect = height / width  # turns are of pixels, coordinates of shares
    grid = torch.stack([cos * x - sin * y * aspect, sin * x / aspect + cos * y], dim=1)
    # (n, 2, h, w): where each pixel comes from
    grid += uniform(2, 1, 1) * 2 * shift
    if bend:
        grid += _smooth(height, device).T @ (uniform(2, 5, 5) * 2 * bend) @ _smooth(width, device)
    return {**batch, "image": F.grid_sample(image, grid.movedim(1, 3).to(image.dtype), align_corners=False)}


def _centres(size: int, device: torch.device) -> Tensor:
    """The pixels' centres along one axis, which runs from -1 to 1; (size,)."""
    return (torch.arange(size, device=device) * 2 + 1) / size - 1


def _smooth(size: int, device: torch.device) -> Tensor:
    """Cubic interpolation from 5 points to `size` along one axis, as a matrix (5, size)."""
    points = torch.eye(5, device=device)[None, None]
    return F.interpolate(points, size=(5, size), mode="bicubic", align_corners=True)[0, 0]


@AUGMENTATIONS.register("flip")
def flip(batch: Batch, *, p: float = 0.5, alternate: bool = False, epoch: int) -> Batch:
    """Mirror images left to right.

    Args:
        batch: with `image` (batch, channels, height, width).
        p: probability of each image.
        alternate: mirror one half of the images in one epoch and the other in the next, in place of chance (K. Jordan,
            arXiv 2404.00498, section 3.6), so that two epochs show each image both ways. Which half is an image's is in
            its pixels' sum, so this comes before augmentations that change them.
        epoch: of the training.
    """
    image = batch["image"]
    if alternate and image.is_floating_point():
        raise ValueError("flip.alternate comes before augmentations that change pixels, so name it first")
    if alternate:
        mirrored = (image.sum((1, 2, 3)).long() + epoch) % 2 == 1
    else:
        mirrored = torch.rand(len(image), device=image.device) < p
    return {**batch, "image": torch.where(mirrored[:, None, None, None], image.flip(3), image)}


@AUGMENTATIONS.register("crop")
def crop(batch: Batch, *, padding: int = 4) -> Batch:
    """Pad each image with its reflection and cut its size out again at a random place."""
    image = batch["image"].float()
    n, c, h, w = image.shape
    if not 0 <= padding < min(h, w):
        raise ValueError(f"crop.padding is at least 0 and below the image's sides, {h} and {w}; got {padding}")
    padded = F.pad(image, (padding,) * 4, mode="reflect")
    top, left = torch.randint(0, 2 * padding + 1, (2, n, 1), device=image.device)
    rows = (top + torch.arange(h, device=image.device))[:, None, :, None]  # (n, 1, h, 1)
    columns = (left + torch.arange(w, device=image.device))[:, None, None, :]  # (n, 1, 1, w)
    samples = torch.arange(n, device=image.device)[:, None, None, None]
    channels = torch.arange(c, device=image.device)[None, :, None, None]
    return {**batch, "image": padded[samples, channels, rows, columns]}


@AUGMENTATIONS.register("resize")
def resize(batch: Batch, *, start: int, epochs: int, epoch: int) -> Batch:
    """Progressive resizing: small images at first, which cost less, growing to their full size (after J. Howard,
    "Training Imagenet in 3 hours for USD 25", fast.ai, 2018). For networks that take images of any size.

    Args:
        batch: with `image` (batch, channels, height, width).
        start: the smaller side in the first epoch, in pixels.
        epochs: after so many epochs images have their own size; until then their sides grow evenly, in steps of 2.
        epoch: of the training.
    """
    if start < 1 or epochs < 1:
        raise ValueError(f"resize.start and resize.epochs are at least 1; got {start} and {epochs}")
    image = batch["image"].float()
    full = min(image.shape[2:])
    side = start + 2 * int((full - start) * epoch / epochs / 2)
    if epoch >= epochs or side >= full:
        return batch
    size = [round(length * side / full) for length in image.shape[2:]]
    return {**batch, "image": F.interpolate(image, size, mode="bilinear", antialias=True)}


def affine(
    image: Tensor,
    *,
    turn: Tensor | float = 0.0,
    shear_x: Tensor | float = 0.0,
    shear_y: Tensor | float = 0.0,
    shift_x: Tensor | float = 0.0,
    shift_y: Tensor | float = 0.0,
) -> Tensor:
    """Images (batch, channels, height, width) turned by degrees, sheared by pixels a pixel, and moved by shares of half
    their size; black comes in at the edges. Each amount is one for all or one for each image, (batch,)."""
    aspect = image.shape[2] / image.shape[3]
    angle = torch.deg2rad(image.new_zeros(len(image)) + turn)
    theta = image.new_zeros(len(image), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = angle.cos()
    theta[:, 0, 1] = (shear_x - angle.sin()) * aspect
    theta[:, 1, 0] = (shear_y + angle.sin()) / aspect
    theta[:, 0, 2], theta[:, 1, 2] = shift_x, shift_y
    return F.grid_sample(image, F.affine_grid(theta, list(image.shape), align_corners=False), align_corners=False)
