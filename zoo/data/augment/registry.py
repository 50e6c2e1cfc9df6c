"""Augmentations by name. Each takes a batch and returns it changed."""

from collections.abc import Callable
from pathlib import Path

from zoo.core.registry import Registry
from zoo.data.splits import Batch

AUGMENTATIONS: Registry[Callable[..., Batch]] = Registry("augmentation", "AUGMENTATIONS", Path(__file__).parent)
