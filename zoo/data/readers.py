"""Readers, by the name of the input they fill: raw input of the user's becomes a batch for a trained model.

A reader takes the model's spec and what the user gives, a path among it, and returns the batch, the samples as first
axis of each tensor, and whether it was a single sample. It raises UserError for input the model cannot take. Readers
stand beside the data sets of their kind, whose conversions they share.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.spec import DataSpec
from zoo.data.registry import LABELLED_READERS, PARTIAL_READERS, READERS
from zoo.data.splits import Batch, Split


def read_raw(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Raw input as a batch, by the reader of the spec's first input; and whether it was a single sample."""
    raw = raw.expanduser() if isinstance(raw, Path) else raw
    return READERS.get(next(iter(spec.inputs)))(spec, raw)


def read_file(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray | None]:
    """A file as a batch, and the mask of the samples that it holds among all in the file, None for all; readers in
    `PARTIAL_READERS` leave out those that cannot be read, others refuse the file."""
    name = next(iter(spec.inputs))
    return PARTIAL_READERS.get(name)(spec, path) if name in PARTIAL_READERS.names() else (read_raw(spec, path)[0], None)


def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split | None:
    """The labelled samples of a data section's file, as a model with `spec` takes them; None where no reader in
    `LABELLED_READERS` is the data set's."""
    name = data["name"]
    return LABELLED_READERS.get(name)(spec, data) if name in LABELLED_READERS.names() else None
