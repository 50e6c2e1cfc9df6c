"""Readers, by the name of the input they fill: raw input of the user's becomes a batch for a trained model.

A reader takes the model's spec and what the user gives, a path among it, and returns the batch, the samples as first
axis of each tensor, and whether it was a single sample. It raises UserError for input the model cannot take. Readers
stand beside the data sets of their kind, whose conversions they share.
"""

from collections.abc import Callable, Mapping
from typing import Any

from zoo.data.splits import Batch, TensorSplit
from zoo.registry import Registry
from zoo.spec import DataSpec

READERS: Registry[Callable[[DataSpec, Any], tuple[Batch, bool]]] = Registry("kind of input")
# By the name of a data set that reads a user's file: the labelled samples of another such file, from a config's data
# section, as a trained model's spec has them.
LABELLED: Registry[Callable[[DataSpec, Mapping[str, Any]], TensorSplit]] = Registry("reader of labelled samples")


def read_raw(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Raw input as a batch, by the reader of the spec's first input; and whether it was a single sample."""
    _register()
    return READERS.get(next(iter(spec.inputs)))(spec, raw)


def labelled_readers() -> list[str]:
    """The data sets with a reader in `LABELLED`."""
    _register()
    return LABELLED.names()


def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> TensorSplit:
    """The labelled samples of a data section's file, as a model with `spec` takes them."""
    return LABELLED.get(data["name"])(spec, data)


def _register() -> None:
    """Import the files that register readers."""
    from zoo.data.images import _images  # noqa: F401
    from zoo.data.sequences import _sequences  # noqa: F401
    from zoo.data.tabular import _table  # noqa: F401
