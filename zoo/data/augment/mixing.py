"""Mix pairs of samples and their targets."""

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.data.augment.noise import random_box
from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.augment.sequence_batch import check_one_target, sequence_of, valid_steps
from zoo.data.splits import Batch

Mixable = Callable[[Tensor], Tensor]


@AUGMENTATIONS.register("mixup")
def mixup(batch: Batch, *, alpha: float = 0.2, p: float = 1.0, mixable: Mixable) -> Batch:
    """Blend each image or sequence with another one of the batch (H. Zhang et al., arXiv 1710.09412). Targets are
    blended by the same shares: classes become a share of each class, (batch, n_classes).

    A blended sequence is as long as the longer one; where one has ended or is missing (NaN), the other is taken.

    Args:
        batch: with `image` (batch, channels, height, width), or with `sequence` (batch, time, n_channels) and perhaps
            `lengths` (batch,); and a `target`.
        alpha: of the Beta distribution of the shares; 1 is uniform, towards 0 shares are close to 0 or 1.
        p: share of samples that are mixed.
        mixable: turns targets into floating numbers, such as the share of each class.
    """
    values = batch["sequence" if "sequence" in batch else "image"]
    own = torch.where(_choose(values, p), _draw_shares(values, alpha), 1.0)
    blend = _blend_sequences if "sequence" in batch else _blend_images
    return {**blend(batch, own), "target": _mix(batch["target"], own, mixable)}


def _blend_images(batch: Batch, own: Tensor) -> Batch:
    image = batch["image"].float()
    return {**batch, "image": image.lerp(image.roll(1, 0), (1 - own)[:, None, None, None])}


def _blend_sequences(batch: Batch, own: Tensor) -> Batch:
    check_one_target(batch)
    known = sequence_of(batch).masked_fill(~valid_steps(batch), torch.nan)
    both = torch.stack([known, known.roll(1, 0)])  # (2, batch, time, n_channels)
    shares = torch.stack([own, 1 - own])[:, :, None, None] * ~both.isnan()
    mixed = {**batch, "sequence": (both.nan_to_num(0.0) * shares).sum(0) / shares.sum(0)}
    if "lengths" not in batch:
        return mixed
    lengths = torch.stack([batch["lengths"] * (own > 0), batch["lengths"].roll(1, 0) * (own < 1)]).amax(0)
    mixed["lengths"] = lengths
    return {**mixed, "sequence": torch.where(valid_steps(mixed), mixed["sequence"], 0)}


@AUGMENTATIONS.register("cutmix")
def cutmix(batch: Batch, *, alpha: float = 1.0, p: float = 1.0, mixable: Mixable) -> Batch:
    """Paste a box of another image of the batch into each one (S. Yun et al., arXiv 1905.04899). Targets are blended
    by area: classes become a share of each class, (batch, n_classes).

    Args:
        batch: with `image` (batch, channels, height, width) and a `target`.
        alpha: of the Beta distribution of the boxes' share of the area.
        p: share of images that are mixed.
        mixable: turns targets into floating numbers, such as the share of each class.
    """
    image = batch["image"].float()
    side = (1 - _draw_shares(image, alpha)).sqrt() * _choose(image, p)
    other = random_box(image, side * image.shape[2], side * image.shape[3])
    mixed = torch.where(other, image.roll(1, 0), image)
    return {**batch, "image": mixed, "target": _mix(batch["target"], 1 - other.float().mean((1, 2, 3)), mixable)}


def _draw_shares(values: Tensor, alpha: float) -> Tensor:
    if alpha <= 0:
        raise ValueError(f"alpha is above 0; got {alpha}")
    concentration = torch.full((len(values), 2), float(alpha), device=values.device)
    return torch.distributions.Dirichlet(concentration, validate_args=False).sample()[:, 0]


def _choose(values: Tensor, p: float) -> Tensor:
    return torch.rand(len(values), device=values.device) < p


def _mix(target: Tensor, own: Tensor, mixable: Mixable) -> Tensor:
    soft = mixable(target)
    return soft.roll(1, 0).lerp(soft, own[:, None])
