"""Read new rows for a trained model: from memory or from a file, also with their targets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.data.columns.arrow import to_table
from zoo.data.columns.cell_errors import Place, refuse_cells, row_number
from zoo.data.columns.drift import UnreadableRows, report_drift
from zoo.data.columns.encode import encode
from zoo.data.columns.missing_marks import marks_to_null
from zoo.data.columns.targets import rows_with_targets, target_columns, target_names
from zoo.data.columns.text import quoted_list
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.table_cache import cache_files
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import clean_heading
from zoo.data.raw_input import as_frame, describe
from zoo.data.registry import LABELLED_READERS, PARTIAL_READERS, READERS
from zoo.data.splits import Batch, Split, report_unread
from zoo.data.tables._build import TableEncoder
from zoo.data.tables._plain_row import encode_plain_row
from zoo.tasks import create_task


@READERS.register("numeric")
@READERS.register("categorical")
def read_new_rows(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Read one row or several as a batch; also return whether it was a single row.

    Args:
        spec: names the columns. They may come in any order, with others among them.
        raw: a dict by column name, of values or of lists; a list of such dicts; a DataFrame, or a Series that is one
            row; values (n_columns,) or (n, n_columns) in the order of the columns; or the path of a file.
    """
    plain = encode_plain_row(spec, raw)
    if plain is not None:
        return plain, True
    table, place, single = read_rows(spec, raw)
    return encode_rows(spec, table, place), single


def read_rows(spec: DataSpec, raw: Any, more: Sequence[str] = ()) -> tuple[pa.Table, Place, bool]:
    """Read rows as a table of the columns of `spec` and of those of `more` that it has; also return how to name a row,
    and whether it was a single one."""
    if isinstance(raw, str | Path):
        raw = Path(raw).expanduser()
        return _read(spec, raw)[0], place_in(raw, spec.reading.get("encoding")), False
    try:
        frame, single = _to_frame(spec, raw)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{error}\nrows are a dict, a list of dicts, a DataFrame or the path of a table with "
                        f"{quoted_list(spec.column_names)}; or values in this order") from error  # fmt: skip
    names = [clean_heading(name) for name in frame.columns]
    _check_columns(spec.column_names, names, "the input")
    table = to_table(frame.loc[:, [name in (*spec.column_names, *more) for name in names]])
    return marks_to_null(table, spec.reading.get("missing", ())), row_number, single


@PARTIAL_READERS.register("numeric")
@PARTIAL_READERS.register("categorical")
def read_readable_new_rows(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray]:
    """Read the rows of a file that have no unreadable cells, as a batch; also return their mask (n,) among all rows.

    Reports the other rows.
    """
    table, _ = _read(spec, path)
    unreadable = UnreadableRows(len(table))
    batch = encode_rows(spec, table, place_in(path, spec.reading.get("encoding")), unreadable)
    report_unread(unreadable.rows, unreadable.why, "rows")
    return {name: values[~unreadable.rows] for name, values in batch.items()}, ~unreadable.rows


@LABELLED_READERS.register("csv")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read all rows of a file that have a target, for a model with `spec`."""
    if data["path"] is None:
        raise UserError("say which table to measure on: data=csv data.path=<file>")
    path, names = Path(data["path"]).expanduser(), target_names(spec)
    encoding = data.get("encoding") or spec.reading.get("encoding")
    table, cache = _read(spec, path, data.get("cache", "auto"), encoding)
    _check_columns((*names, *spec.column_names), table.column_names, str(path))
    place, task = place_in(path, encoding), create_task(spec)
    targets = target_columns(table, names, np.arange(0), place, beside=table)
    rows = rows_with_targets(targets, task)
    if not len(rows):
        raise UserError(f"no row of {path} has a value of {quoted_list(names)} to measure with")
    values = task.targets([replace(column, used=rows) for column in targets])
    echo(f"{path.name}: all {len(rows):,} rows whose {quoted_list(names)} is known")
    (split,) = TableEncoder(spec.columns, spec.reading.get("dates"), place, cache).splits(table, values, [rows])
    return split


def _read(
    spec: DataSpec, path: Path, cache: bool | str = False, encoding: str | None = None
) -> tuple[pa.Table, Path | None]:
    """Read a file with the cell options of training; also return the file of the cache that it is mapped from."""
    text = [column.name for column in spec.columns if column.kind == "categorical"]
    cells = CellOptions(text, **{name: spec.reading[name] for name in CellOptions._fields if name in spec.reading})
    cells = cells._replace(encoding=encoding or cells.encoding)
    (file,) = cache_files([path], cache, cells)
    return read_table(path, cells, cache=file), file


def encode_rows(
    spec: DataSpec, table: pa.Table, place: Place = row_number, unreadable: UnreadableRows | None = None
) -> Batch:
    """Encode new rows as a batch; report how they differ from training."""
    _check_columns(spec.column_names, table.column_names, "the input")
    if not len(table):
        raise UserError("there are no rows in this input")
    refuse = unreadable or refuse_cells
    batch = encode(spec.columns, table, dates=spec.reading.get("dates"), place=place, refuse=refuse)
    rows = np.ones(len(table), dtype=bool) if unreadable is None else ~unreadable.rows
    report_drift(spec.columns, table, batch, rows, place)
    return batch


def _check_columns(names: Sequence[str], given: Sequence[str], where: str) -> None:
    """Raise UserError, with the nearest name, unless all columns are among those given."""
    for name in names:
        if name not in given:
            raise UserError(f"{where} lacks a column: {unknown_name('column', name, given)}")


def _to_frame(spec: DataSpec, raw: Any) -> tuple[pd.DataFrame, bool]:
    """Convert rows in memory to a DataFrame; also return whether it was a single row."""
    if isinstance(raw, pd.Series | Mapping):
        values = {name: np.asarray(value) if isinstance(value, Tensor) else value for name, value in raw.items()}
        single = all(np.ndim(value) == 0 for value in values.values())
        return pd.DataFrame([values] if single else values), single
    frame = as_frame(raw)
    return _values_to_frame(spec, raw) if frame is None else (frame, False)


def _values_to_frame(spec: DataSpec, raw: Any) -> tuple[pd.DataFrame, bool]:
    names = spec.column_names
    are_numbers = all(column.kind in ("numeric", "boolean") for column in spec.columns)
    rows = np.asarray(raw, dtype=np.float64 if are_numbers else object)
    single = rows.ndim == 1
    rows = rows[None] if single else rows
    if rows.ndim != 2 or rows.shape[1] != len(names) or not len(rows) or isinstance(rows[0, 0], Mapping):
        raise ValueError(f"a row has {len(names)} values; got {describe(raw)}")
    return pd.DataFrame(rows, columns=names), single
