"""Read new input for a trained model, by the reader registered for the name of the model's first input.

A reader takes the model's spec and what the user gives, such as a path, and returns the batch, the samples as first
axis of each tensor, and whether it was a single sample. It raises UserError for input that the model cannot take.
Readers stand beside the data sets of their kind, whose conversions they share.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.spec import DataSpec
from zoo.data.registry import LABELLED_READERS, PARTIAL_READERS, READERS
from zoo.data.splits import Batch, Split


def read_raw(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Read raw input as a batch; also return whether it was a single sample."""
    raw = raw.expanduser() if isinstance(raw, Path) else raw
    return READERS.get(next(iter(spec.inputs)))(spec, raw)


def read_file(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray | None]:
    """Read a file as a batch; also return the mask of its samples among all in the file, None for all.

    Readers in `PARTIAL_READERS` leave out samples that cannot be read; others refuse the file.
    """
    name = next(iter(spec.inputs))
    return PARTIAL_READERS.get(name)(spec, path) if name in PARTIAL_READERS.names() else (read_raw(spec, path)[0], None)


def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split | None:
    """Read the labelled samples of the file that a config's data section names, for a model with `spec`; None if the
    data set reads no user's file."""
    name = data["name"]
    return LABELLED_READERS.get(name)(spec, data) if name in LABELLED_READERS.names() else None
