"""Samples in memory with labels beside them: rows, images, sequences and texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from zoo.core.errors import UserError
from zoo.data.columns.arrow import to_table
from zoo.data.given.files import Given
from zoo.data.given.frames import TABLE, given_frame, label_columns, table_writer
from zoo.data.given.images import is_images, write_images


def given_samples(data: Any, labels: Any, model: str | None) -> Given:
    """Samples, each with a label."""
    if isinstance(labels, str):
        raise UserError(f"target='{labels}' names a column, and these data have none; give the labels: zoo.fit(X, y)")
    n, values, family = len(data), list(data), model and model.partition("/")[0]
    if not n:
        raise ValueError("it is empty")
    columns = label_columns(labels, n)
    if all(isinstance(value, str) for value in values) and not is_images(values, family):
        frame = pd.concat([pd.DataFrame({"text": values}), columns], axis=1)
        return Given("texts", TABLE, {"target": str(columns.columns[0]), "text": "text"}, table_writer(frame))
    if is_images(values, family):
        return _images(values, columns)
    array = np.asarray(data) if len({np.shape(value) for value in values}) == 1 else None
    if array is not None and array.ndim == 2 and family in (None, "fnn"):
        names = [f"x{number}" for number in range(1, array.shape[1] + 1)]
        return given_frame(pd.DataFrame(array, columns=names), columns, model)
    return _sequences(values, columns)


def _images(values: Sequence[Any], labels: pd.DataFrame) -> Given:
    """Images; labels with a fraction are numbers to predict."""
    floats = labels.select_dtypes("float")
    options: dict[str, Any] = {"target": list(labels) if len(labels.columns) > 1 else str(labels.columns[0])}
    if len(floats.columns) and (floats % 1 != 0).to_numpy().any():
        options["task"] = "regression"

    def write(folder: Path) -> None:
        files = pd.DataFrame({"file": write_images(values, folder)})
        pa.parquet.write_table(to_table(pd.concat([files, labels], axis=1)), folder / "images.parquet")

    return Given("imagefolder", "images.parquet", options, write, "labels")


def _sequences(values: Sequence[Any], labels: pd.DataFrame) -> Given:
    arrays = [np.asarray(value, dtype=np.result_type(np.asarray(value), np.float32)) for value in values]
    arrays = [array[:, None] if array.ndim == 1 else array for array in arrays]  # (time, n_channels)
    if len({array.shape[1:] for array in arrays}) != 1 or arrays[0].ndim != 2:
        shapes = ", ".join(sorted({str(np.shape(value)) for value in values})[:3])
        raise ValueError(f"sequences are (time, n_channels), or (time,), with the same channels; these are {shapes}")
    if len(labels.columns) > 1:
        raise ValueError("a sequence has one label")
    column = labels.iloc[:, 0].to_numpy()
    lengths = np.array([len(array) for array in arrays])
    padded = np.full((len(arrays), lengths.max(), arrays[0].shape[1]), np.nan, np.result_type(*arrays))
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    named: dict[str, Any] = {
        "X": padded,
        "y": column.astype(str) if column.dtype == object else column,
        "lengths": lengths,
    }

    def write(folder: Path) -> None:
        file: BinaryIO
        with open(folder / "sequences.npz", "wb") as file:
            np.savez(file, **named)

    return Given("sequences", "sequences.npz", {}, write)
