"""Augmentations by name. Each takes a batch and returns it changed."""

from collections.abc import Callable

from zoo.data.splits import Batch
from zoo.registry import Registry

AUGMENTATIONS: Registry[Callable[..., Batch]] = Registry("augmentation")
