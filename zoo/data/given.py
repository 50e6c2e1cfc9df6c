"""Data given in Python, such as DataFrames, arrays and lists: written as files that the data sets of a user's files
read."""

import filecmp
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import to_table
from zoo.data.columns.text import quoted_list
from zoo.data.images.given import is_images, write_images
from zoo.data.registry import load_data
from zoo.data.splits import Splits

TAKEN = """data are a DataFrame, a dict of columns or a list of dicts, with target=<heading>; with labels, (X, y), rows
of numbers, uint8 images, sequences (time, n_channels) or texts; a Series or a frame with dates as index, to forecast"""
DATES = (pd.DatetimeIndex, pd.PeriodIndex)
Write = Callable[[Path], None]


@dataclass(frozen=True)
class Given:
    """Data given in Python.

    Attributes:
        name: of the data set that reads them.
        file: that they are written to, inside a folder.
        options: of the data set, beside the path.
        write: writes the files to a folder.
        path_option: the option that takes the path of `file`.
    """

    name: str
    file: str
    options: Mapping[str, Any]
    write: Write
    path_option: str = "path"

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the files to a folder, whole or not at all, and return the data set's options.

        Raises:
            UserError: for a folder that holds other data already.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".data-") as temporary:
            new = Path(temporary, "data")
            new.mkdir()
            self.write(new)
            if not folder.exists():
                os.replace(new, folder)
            elif not _are_equal(new, folder):
                raise UserError(f"{folder} holds other data than these; give another run_dir")
        return {**self.options, self.path_option: str(folder / self.file)}


def given_data(data: Any, target: Any = None, family: str | None = None) -> Given:
    """Recognise data in memory.

    Args:
        data: as `TAKEN` says.
        target: a heading, several headings, or the labels of the samples.
        family: of the model, such as "rnn", where one is chosen; arrays (n, k) are tables for "fnn" or None, sequences
            for others.

    Raises:
        UserError: for anything else, with what is taken.
    """
    data, target = _plain(data), _plain(target)
    if isinstance(data, tuple) and len(data) == 2 and target is None:
        data, target = map(_plain, data)
    try:
        if _is_frame(data):
            return _frame(_to_frame(data), target, family)
        if target is None:
            return _series(data)
        return _labelled(data, target, family)
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


def _to_frame(data: Any) -> pd.DataFrame:
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(list(data) if isinstance(data, tuple) else data)
    if not len(frame) or not len(frame.columns):
        raise ValueError("it is empty")
    return frame.rename(columns=str)


# -- tables and series


def _frame(frame: pd.DataFrame, target: Any, family: str | None) -> Given:
    """A table of samples, or of a series to forecast."""
    if target is None and (isinstance(frame.index, DATES) or family == "rnn"):
        return _series(frame)
    if target is None:
        raise UserError(f"say what to predict: target=<heading>, of {quoted_list(list(frame.columns))}")
    target = str(target) if np.isscalar(target) else target
    if not _are_headings(target):
        frame, target = _with_labels(frame, target)
    for heading in [target] if isinstance(target, str) else target:
        if heading not in frame:
            raise unknown_name("column", heading, list(frame.columns))
    if frame.index.name is not None:
        echo(f"the index '{frame.index.name}' is no column; frame.reset_index() makes it one")
    name = "csv" if family in (None, "fnn", "cnn") else _sequential(frame, target)
    return Given(name, "table.parquet", {"target": target}, _writer_of(frame))


def _sequential(frame: pd.DataFrame, target: str | Sequence[str]) -> str:
    """The data set of a recurrent network that reads a table with a target: texts where there is a column of text."""
    inputs = frame.drop(columns=target, errors="ignore")
    return "texts" if any(pd.api.types.is_string_dtype(inputs[name]) for name in inputs) else "sequences"


def _are_headings(target: Any) -> bool:
    several = isinstance(target, list | tuple) and 0 < len(target) < 50
    return isinstance(target, str) or (several and all(isinstance(name, str) for name in target))


def _with_labels(frame: pd.DataFrame, labels: Any) -> tuple[pd.DataFrame, Any]:
    """A table with columns of labels, and their headings."""
    columns = _label_columns(labels, len(frame))
    if twice := [str(name) for name in columns if name in frame.columns]:
        raise UserError(f"{quoted_list(twice)} is a column of the table and the labels; give target=<heading> alone")
    whole = pd.concat([frame.reset_index(drop=True), columns], axis=1)
    return whole, list(columns) if len(columns.columns) > 1 else str(columns.columns[0])


def _label_columns(labels: Any, n: int) -> pd.DataFrame:
    """Labels of `n` samples as columns, named `target` where they have no names."""
    columns: Any = pd.DataFrame(labels).reset_index(drop=True)
    if len(columns) != n:
        raise UserError(f"there is one label for each sample; got {n:,} samples and {len(columns):,} labels")
    several = len(columns.columns) > 1
    names = {name: f"target_{name + 1}" if several else "target" for name in columns.columns if isinstance(name, int)}
    return columns.rename(columns=names)


def _series(data: Any) -> Given:
    """A series to forecast, of one channel or several; dates of the index become a column."""
    if not isinstance(data, pd.Series | pd.DataFrame) and not _are_numbers(data):
        raise ValueError("it has no labels")
    frame = data.to_frame(data.name or "value") if isinstance(data, pd.Series) else pd.DataFrame(data)
    frame = frame.rename(columns={0: "value"})
    if isinstance(frame.index, pd.PeriodIndex):
        frame = frame.set_index(frame.index.to_timestamp().rename(frame.index.name))
    if isinstance(frame.index, DATES):
        frame = frame.rename_axis(str(frame.index.name or "date")).reset_index()
    return Given("series", "series.parquet", {}, _writer_of(frame, "series.parquet"))


def _are_numbers(data: Any) -> bool:
    """Whether it is a list or array (n,) of numbers."""
    values = data if isinstance(data, list | tuple | np.ndarray) else ()
    return len(values) > 0 and all(isinstance(value, int | float | np.number) for value in values)


def _writer_of(frame: pd.DataFrame, name: str = "table.parquet") -> Write:
    table = to_table(frame)
    return lambda folder: pa.parquet.write_table(table, folder / name)


# -- samples with labels beside them


def _labelled(data: Any, labels: Any, family: str | None) -> Given:
    if isinstance(labels, str):
        raise UserError(f"target='{labels}' names a column, and these data have none; give the labels: zoo.fit(X, y)")
    n, values = len(data), list(data)
    if not n:
        raise ValueError("it is empty")
    columns = _label_columns(labels, n)
    if all(isinstance(value, str) for value in values) and not is_images(values, family):
        frame = pd.concat([pd.DataFrame({"text": values}), columns], axis=1)
        return Given("texts", "texts.parquet", {"target": str(columns.columns[0]), "text": "text"},
                     _writer_of(frame, "texts.parquet"))  # fmt: skip
    if is_images(values, family):
        return _images(values, columns)
    array = np.asarray(data) if len({np.shape(value) for value in values}) == 1 else None
    if array is not None and array.ndim == 2 and family in (None, "fnn"):
        names = [f"x{number}" for number in range(1, array.shape[1] + 1)]
        return _frame(pd.DataFrame(array, columns=names), columns, family)
    return _sequences(values, columns)


def _images(values: Sequence[Any], labels: pd.DataFrame) -> Given:
    """Images; labels with a fraction are numbers to predict."""
    floats = labels.select_dtypes("float")
    options: dict[str, Any] = {"target": list(labels) if len(labels.columns) > 1 else str(labels.columns[0])}
    if len(floats.columns) and (floats % 1 != 0).to_numpy().any():
        options["task"] = "regression"

    def write(folder: Path) -> None:
        files = pd.DataFrame({"file": write_images(values, folder)})
        pa.parquet.write_table(to_table(pd.concat([files, labels.astype(str)], axis=1)), folder / "images.parquet")

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


def _are_equal(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    files = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) for folder in (one, other)]
    return files[0] == files[1] and not any(filecmp.cmpfiles(one, other, files[0], shallow=False)[1:])


def load_given(data: Any, target: Any = None, **options: Any) -> Splits:
    """Load the splits of data in memory; they are written to a temporary folder, as `zoo.fit` writes them to a run's.

    Args:
        data, target: as in `given_data`.
        options: of the data set that reads them.
    """
    given = given_data(data, target)
    with tempfile.TemporaryDirectory() as folder:
        return load_data(given.name, **given.save(Path(folder, "data")), **options)
