"""Readers, by the name of the input they fill: raw input of the user's becomes a batch for a trained model.

A reader takes the model's spec and what the user gives, a path among it, and returns the batch, the samples as first
axis of each tensor, and whether it was a single sample. It raises UserError for input the model cannot take. Readers
stand beside the data sets of their kind, whose conversions they share.
"""

from collections.abc import Callable
from typing import Any

from zoo.data.splits import Batch
from zoo.registry import Registry
from zoo.spec import DataSpec

READERS: Registry[Callable[[DataSpec, Any], tuple[Batch, bool]]] = Registry("kind of input")


def read_raw(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Raw input as a batch, by the reader of the spec's first input; and whether it was a single sample."""
    from zoo.data.images import _images  # noqa: F401  (each registers its readers)
    from zoo.data.sequences import _sequences  # noqa: F401
    from zoo.data.tabular import _table  # noqa: F401

    return READERS.get(next(iter(spec.inputs)))(spec, raw)
