"""Apply augmentations, chosen by name, to a batch."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.data.augment.registry import AUGMENTATIONS
from zoo.data.splits import Batch


def augment(
    batch: Batch,
    augmentations: Mapping[str, Mapping[str, Any] | None],
    *,
    epoch: int = 0,
    mixable: Callable[[Tensor], Tensor] = torch.clone,
) -> Batch:
    """Apply the named augmentations in order, each with its options.

    Args:
        batch: images (batch, channels, height, width) with values from 0 to 255, or other inputs.
        augmentations: options by name; None turns one off.
        epoch: of the training, from 0.
        mixable: turns targets into numbers that can be mixed, see `zoo.tasks.base.Task.mixable`.

    Raises:
        UserError: for an unknown name, wrong options, or a batch without the input that an augmentation needs.
    """
    context = {"epoch": epoch, "mixable": mixable}
    for name, options in augmentations.items():
        function = AUGMENTATIONS.get(name)
        if options is None:
            continue
        try:
            batch = function(batch, **options, **{key: context[key] for key in _context_parameters(function)})
        except (KeyError, TypeError, ValueError) as error:
            reason = f"it needs {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
            raise UserError(f"augmentation {name} does not fit: {reason}; this batch has {', '.join(batch)}") from error
    return batch


@functools.cache
def _context_parameters(function: Callable[..., Batch]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name in ("epoch", "mixable")]
