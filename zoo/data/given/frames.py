"""Tables in memory, and series to forecast."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import to_table
from zoo.data.columns.text import quoted_list
from zoo.data.detection import detect_data
from zoo.data.given.files import Given, Write
from zoo.data.options import as_strings

TABLE = "table.parquet"
DATES = (pd.DatetimeIndex, pd.PeriodIndex)
N_ROWS = 2000  # of a table that tell what it holds


def given_frame(data: Any, target: Any, model: str | None) -> Given:
    """A table of samples, or of a series to forecast."""
    frame = _to_frame(data)
    if target is None and isinstance(frame.index, DATES):
        return given_series(frame)
    target = str(target) if np.isscalar(target) else target
    if target is not None and not _are_headings(target, len(frame)):
        frame, target = _with_labels(frame, target)
    if frame.index.name is not None:
        echo(f"the index '{frame.index.name}' is no column; frame.reset_index() makes it one")
    name = _data_set_of(frame, target, model)
    options = {} if target is None else {"columns": as_strings(target)} if name == "series" else {"target": target}
    if name == "imagefolder":
        return Given(name, TABLE, {**options, "path": str(Path.cwd())}, table_writer(frame), "labels")
    return Given(name, TABLE, options, table_writer(frame))


def _to_frame(data: Any) -> pd.DataFrame:
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(list(data) if isinstance(data, tuple) else data)
    if not len(frame) or not len(frame.columns):
        raise ValueError("it is empty")
    return frame.rename(columns=str)


def _data_set_of(frame: pd.DataFrame, target: str | list[str] | None, model: str | None) -> str:
    """The data set that reads a table, by its first rows."""
    names, targets = list(frame.columns), [] if target is None else as_strings(target)
    for heading in targets:
        if heading not in names:
            raise unknown_name("column", heading, names)
    with tempfile.TemporaryDirectory() as folder:
        table_writer(frame[:N_ROWS])(Path(folder))
        try:
            return detect_data(Path(folder, TABLE), model, targets)
        except UserError:
            if targets:
                raise
            raise UserError(f"say what to predict: target=<heading>, of {quoted_list(names)}") from None


def _are_headings(target: Any, n: int) -> bool:
    """Whether it is a heading or several, rather than the labels of `n` rows."""
    several = isinstance(target, list | tuple) and 0 < len(target) != n
    return isinstance(target, str) or (several and all(isinstance(name, str) for name in target))


def _with_labels(frame: pd.DataFrame, labels: Any) -> tuple[pd.DataFrame, Any]:
    """A table with columns of labels, and their headings."""
    columns = label_columns(labels, len(frame))
    if twice := [str(name) for name in columns if name in frame.columns]:
        raise UserError(f"{quoted_list(twice)} is a column of the table and the labels; give target=<heading> alone")
    whole = pd.concat([frame.reset_index(drop=True), columns], axis=1)
    return whole, list(columns) if len(columns.columns) > 1 else str(columns.columns[0])


def label_columns(labels: Any, n: int) -> pd.DataFrame:
    """Labels of `n` samples as columns, named `target` where they have no names."""
    columns: Any = pd.DataFrame(labels).reset_index(drop=True)
    if len(columns) != n:
        raise UserError(f"there is one label for each sample; got {n:,} samples and {len(columns):,} labels")
    several = len(columns.columns) > 1
    names = {name: f"target_{name + 1}" if several else "target" for name in columns.columns if isinstance(name, int)}
    return columns.rename(columns=names)


def given_series(data: Any) -> Given:
    """A series to forecast, of one channel or several; dates of the index become a column."""
    if not isinstance(data, pd.Series | pd.DataFrame) and not _are_numbers(data):
        raise ValueError("it has no labels")
    frame = data.to_frame(data.name or "value") if isinstance(data, pd.Series) else pd.DataFrame(data)
    frame = frame.rename(columns={0: "value"})
    if isinstance(frame.index, pd.PeriodIndex):
        frame = frame.set_index(frame.index.to_timestamp().rename(frame.index.name))
    if isinstance(frame.index, DATES):
        frame = frame.rename_axis(str(frame.index.name or "date")).reset_index()
    return Given("series", TABLE, {}, table_writer(frame))


def _are_numbers(data: Any) -> bool:
    """Whether it is a list or array (n,) of numbers."""
    values = data if isinstance(data, list | tuple | np.ndarray) else ()
    return len(values) > 0 and all(isinstance(value, int | float | np.number) for value in values)


def table_writer(frame: pd.DataFrame) -> Write:
    """Return what writes a table to a folder, as `TABLE`."""
    table = to_table(frame)
    return lambda folder: pa.parquet.write_table(table, folder / TABLE)
