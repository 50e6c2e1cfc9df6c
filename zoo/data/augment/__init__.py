"""Augmentation of whole batches on their own device, with a random choice for each sample."""

from zoo.data.augment.apply import augment
from zoo.data.augment.registry import AUGMENTATIONS

__all__ = ["AUGMENTATIONS", "augment"]
