"""Recognise what data in Python are."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from zoo.core.errors import UserError
from zoo.data.given.files import Given, given_file
from zoo.data.given.frames import given_frame, given_series
from zoo.data.given.samples import given_samples
from zoo.data.registry import load_by_name
from zoo.data.splits import Splits

TAKEN = """data are a path; a DataFrame, a dict of columns or a list of dicts, with target=<heading>; rows of numbers,
uint8 images, sequences (time, n_channels) or texts, with labels: (X, y); or a Series or a frame indexed by dates"""


def given_data(data: Any, target: Any = None, model: str | None = None) -> Given:
    """Recognise what data are, and which data set reads them.

    Args:
        data: as `TAKEN` says.
        target: a heading, several headings, or the labels of the samples.
        model: the name of a model, such as "rnn" or "cnn/resnet", where one is chosen; arrays (n, k) are sequences for
            any but feedforward networks.

    Raises:
        UserError: for anything else, with what is taken.
    """
    data, target = _plain(data), _plain(target)
    if isinstance(data, tuple) and len(data) == 2 and target is None:
        data, target = map(_plain, data)
    if isinstance(data, str | Path):
        return given_file(Path(data).expanduser(), target, model)
    try:
        if not hasattr(data, "__len__") or isinstance(data, bytes):
            raise TypeError("it holds no samples")
        if _is_frame(data):
            return given_frame(data, target, model)
        if target is None:
            return given_series(data)
        return given_samples(data, target, model)
    except (TypeError, ValueError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise UserError(f"this {type(data).__name__} is not taken: {reason}\n{TAKEN}") from error


def _plain(data: Any) -> Any:
    """A table of another library as a DataFrame, a tensor as an array."""
    if hasattr(data, "to_pandas"):  # polars, pyarrow
        return data.to_pandas()
    return data.detach().cpu().numpy() if hasattr(data, "detach") else data


def _is_frame(data: Any) -> bool:
    rows = isinstance(data, list | tuple) and len(data) > 0 and all(isinstance(row, Mapping) for row in data)
    return rows or isinstance(data, pd.DataFrame | Mapping)


def load_given(data: Any, target: Any = None, **options: Any) -> Splits:
    """Load the splits of data in memory; they are written to a temporary folder, as `zoo.fit` writes them to a run's.

    Args:
        data, target: as in `given_data`.
        options: of the data set that reads them.
    """
    given = given_data(data, target)
    with tempfile.TemporaryDirectory() as folder:
        return load_by_name(given.name, **given.save(Path(folder, "data")), **options)
