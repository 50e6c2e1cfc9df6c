"""Augmentation of whole batches on their own device, with a random choice for each sample.

Each augmentation takes a batch and returns it changed; it draws from torch's global generator of the batch's device,
which the data module seeds for every step. One that has a parameter `epoch` or `mixable` is given it.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.splits import Batch

__all__ = ["AUGMENTATIONS", "augment"]


def augment(
    batch: Batch,
    augmentations: Mapping[str, Mapping[str, Any] | None],
    *,
    epoch: int = 0,
    mixable: Callable[[Tensor], Tensor] = torch.clone,
) -> Batch:
    """Apply the named augmentations in order, each with its options.

    Args:
        batch: its images (batch, channels, height, width) of values from 0 to 255, or other inputs.
        augmentations: options by name; None for one that is not to be.
        epoch: of the training, from 0.
        mixable: see `zoo.tasks.base.Task.mixable`.
    """
    offered = {"epoch": epoch, "mixable": mixable}
    for name, options in augmentations.items():
        function = AUGMENTATIONS.get(name)
        if options is None:
            continue
        try:
            batch = function(batch, **options, **{key: offered[key] for key in _asks(function)})
        except (KeyError, TypeError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise UserError(f"augmentation {name} does not fit: {why}; this batch has {', '.join(batch)}") from error
    return batch


@functools.cache
def _asks(function: Callable[..., Batch]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name in ("epoch", "mixable")]
