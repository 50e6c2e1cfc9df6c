"""The registry of augmentations."""

from collections.abc import Callable

from zoo.core.registry import Registry
from zoo.data.splits import Batch

# Each takes a batch and keyword options, and returns the changed batch. It draws from torch's global generator of the
# batch's device, which the data module seeds for each step. `epoch` and `mixable` are passed to those that take them.
AUGMENTATIONS: Registry[Callable[..., Batch]] = Registry("augmentation", "AUGMENTATIONS")
