"""Move pixels: warp, flip, crop and resize images."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.splits import Batch


@AUGMENTATIONS.register("warp")
def warp(batch: Batch, *, shift: float = 0.0, rotate: float = 0.0, scale: float = 0.0, bend: float = 0.0) -> Batch:
    """Shift, rotate, scale and bend each image by random amounts; edges are filled with black.

    Bending is elastic distortion (P. Simard et al., ICDAR 2003, section 2): random shifts of a grid of 5 x 5 points,
    interpolated by cubics.

    Args:
        batch: with `image` (batch, channels, height, width).
        shift: largest shift along each axis, as a share of the image's size.
        rotate: largest angle, in degrees.
        scale: largest change of size, as a share; below 1.
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
    aspect = height / width  # rotation is in pixels, coordinates in shares of the sides
    grid = torch.stack([cos * x - sin * y * aspect, sin * x / aspect + cos * y], dim=1)
    # (n, 2, h, w): where each pixel comes from
    grid += uniform(2, 1, 1) * 2 * shift
    if bend:
        grid += _smooth(height, device).T @ (uniform(2, 5, 5) * 2 * bend) @ _smooth(width, device)
    return {**batch, "image": F.grid_sample(image, grid.movedim(1, 3).to(image.dtype), align_corners=False)}


def _centres(size: int, device: torch.device) -> Tensor:
    """The pixels' centres (size,) along an axis from -1 to 1."""
    return (torch.arange(size, device=device) * 2 + 1) / size - 1


def _smooth(size: int, device: torch.device) -> Tensor:
    """Cubic interpolation from 5 points to `size` along one axis: a matrix (5, size)."""
    points = torch.eye(5, device=device)[None, None]
    return F.interpolate(points, size=(5, size), mode="bicubic", align_corners=True)[0, 0]


@AUGMENTATIONS.register("flip")
def flip(batch: Batch, *, p: float = 0.5, alternate: bool = False, epoch: int) -> Batch:
    """Flip images left to right.

    Args:
        batch: with `image` (batch, channels, height, width).
        p: probability of each image.
        alternate: flip one half of the images in one epoch and the other half in the next, not at random (K. Jordan,
            arXiv 2404.00498, section 3.6), so that two epochs show each image both ways. The half follows from the sum
            of an image's pixels, so this comes before augmentations that change them.
        epoch: of the training.
    """
    image = batch["image"]
    if alternate and image.is_floating_point():
        raise ValueError("flip.alternate comes before augmentations that change pixels, so name it first")
    if alternate:
        flipped = (image.sum((1, 2, 3)).long() + epoch) % 2 == 1
    else:
        flipped = torch.rand(len(image), device=image.device) < p
    return {**batch, "image": torch.where(flipped[:, None, None, None], image.flip(3), image)}


@AUGMENTATIONS.register("crop")
def crop(batch: Batch, *, padding: int = 4) -> Batch:
    """Pad each image by reflection and crop it to its size at a random position."""
    image = batch["image"].float()
    n, _, h, w = image.shape
    if not 0 <= padding < min(h, w):
        raise ValueError(f"crop.padding is at least 0 and below the image's sides, {h} and {w}; got {padding}")
    padded = F.pad(image, (padding,) * 4, mode="reflect")
    top, left = torch.randint(0, 2 * padding + 1, (2, n), device=image.device)
    crops = padded.unfold(2, h, 1).unfold(3, w, 1)  # a view of every crop: (n, c, top, left, h, w)
    return {**batch, "image": crops[torch.arange(n, device=image.device), :, top, left]}


@AUGMENTATIONS.register("resize")
def resize(batch: Batch, *, start: int, epochs: int, epoch: int) -> Batch:
    """Progressive resizing: images start small, which costs less, and grow to their full size (after J. Howard,
    "Training Imagenet in 3 hours for USD 25", fast.ai, 2018). For networks that take images of any size.

    Args:
        batch: with `image` (batch, channels, height, width).
        start: the smaller side in the first epoch, in pixels.
        epochs: until images have their full size; until then their sides grow evenly, in steps of 2 pixels.
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
    """Rotate (degrees), shear (pixels per pixel) and shift (shares of half the size) images (batch, channels, height,
    width); edges are filled with black. Each amount is one for all images or one for each, (batch,)."""
    aspect = image.shape[2] / image.shape[3]
    angle = torch.deg2rad(image.new_zeros(len(image)) + turn)
    theta = image.new_zeros(len(image), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = angle.cos()
    theta[:, 0, 1] = (shear_x - angle.sin()) * aspect
    theta[:, 1, 0] = (shear_y + angle.sin()) / aspect
    theta[:, 0, 2], theta[:, 1, 2] = shift_x, shift_y
    return F.grid_sample(image, F.affine_grid(theta, list(image.shape), align_corners=False), align_corners=False)
