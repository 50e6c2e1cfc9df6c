"""What the tables share: from the columns of a table to the tensors of a batch, in training and for new rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.safe_yaml import to_yaml
from zoo.core.spec import Column, DataSpec
from zoo.data.columns.arrow import to_table
from zoo.data.columns.cell_errors import Place, refuse_cells, row_number
from zoo.data.columns.drift import UnreadableRows, report_drift
from zoo.data.columns.encode import encode, table_inputs
from zoo.data.columns.infer import infer_columns
from zoo.data.columns.missing_marks import marks_to_null
from zoo.data.columns.targets import choose_task, rows_with_targets, target_columns, target_names
from zoo.data.columns.text import quoted_list
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.table_cache import cache_files
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import clean_heading
from zoo.data.registry import LABELLED_READERS, PARTIAL_READERS, READERS
from zoo.data.splits import Batch, Split, Splits, TensorSplit, report_unread
from zoo.data.stored import stored_split
from zoo.data.tables._mapped_rows import map_rows
from zoo.tasks import TASKS, create_task


def table_splits(
    name: str,
    frame: pd.DataFrame | pa.Table,
    target: str | Sequence[str],
    *,
    train: np.ndarray,
    val: np.ndarray,
    test: np.ndarray,
    kinds: Mapping[str, str] | None = None,
    task: str | None = None,
    class_names: Sequence[str] | None = None,
    max_categories: int = 1000,
    reading: Mapping[str, Any] | None = None,
    place: Place = row_number,
    keep: Path | None = None,
    **spec: Any,
) -> Splits:
    """The splits of a table.

    Args:
        name: of the data set.
        frame: all rows, as a DataFrame or an Arrow table.
        target: the heading of what is predicted, or several.
        train, val, test: the rows of each split, from 0.
        kinds: of columns: "numeric", "boolean", "categorical", "date" or "ignore". The others' are inferred from the
            training rows, and those that say nothing (constant, double, an id) are ignored, in one line.
        task: the name of a task of `zoo.tasks`; None infers it, and says so.
        class_names: the classes in their order, which the target holds; None sorts them.
        max_categories: of one column; the rarest beyond that count as not seen.
        reading: further entries of the spec's `reading`.
        place: how messages name a row.
        keep: the file of the cache that `frame` is mapped from; the splits lie beside it. None keeps them in memory.
        spec: further fields of the DataSpec.

    Raises:
        UserError: for a column that cannot be read as its kind, and where there is nothing to learn from or to learn.
    """
    table = to_table(frame)
    names = [target] if isinstance(target, str) else list(target)
    for one in names:
        if one not in table.column_names:
            raise unknown_name("column", one, table.column_names)
    goals, table = table.select(names), table.drop_columns(names)
    columns, ignored, dates = infer_columns(table, train, kinds or {}, max_categories, place)
    if not columns:
        why = f"ignored are {quoted_list(ignored)}\ngive the kinds of some in a file and name it by data.schema="
        raise UserError(
            f"no column is left to learn {quoted_list(names)} from; {why if ignored else 'it is the only one'}"
        )
    used = np.concatenate([train, val, test])
    targets = target_columns(goals, names, train, place, used=used, beside=table)
    task = task or choose_task(targets)
    values, fields = TASKS.get(task).encode(targets, class_names)
    found = {"ignored": ignored, "dates": dates, "targets": names if len(names) > 1 else []}
    part = _parts(columns, table, values, dates=dates, place=place, keep=keep)
    return Splits(
        DataSpec(
            name=name,
            task=task,
            inputs=table_inputs(columns),
            columns=columns,
            reading={**(reading or {}), **{key: value for key, value in found.items() if value}},
            **({"target_name": ", ".join(names)} | fields | spec),
        ),
        train=part(train),
        val=part(val),
        test=part(test),
    )


def _parts(
    columns: Sequence[Column],
    table: pa.Table,
    target: Tensor,
    *,
    dates: Mapping[str, str] | None,
    place: Place,
    keep: Path | None,
) -> Callable[[np.ndarray], Split]:
    """What gives rows of a table as a split; arguments as of `table_splits`."""
    if keep is None:
        return TensorSplit(**encode(columns, table, dates=dates, place=place), target=target).subset
    rows = map_rows(columns, table, dates=dates, place=place, keep=keep)
    return lambda index: stored_split(index, target[index], **rows)


@READERS.register("numeric")
@READERS.register("categorical")
def read_rows(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One row or several as a batch, and whether it was one.

    Args:
        spec: names the columns. They may come in any order, with others among them.
        raw: a dict by column name, of values or of lists; a list of such dicts; a DataFrame, or a Series that is one
            row; an array (n_columns,) or (n, n_columns) where all columns are numbers; or the path of a file.
    """
    if isinstance(raw, Path):
        return _encoded(spec, _as_in_training(spec, raw)[0], place_in(raw, spec.reading.get("encoding"))), False
    try:
        frame, single = _frame(spec, raw)
    except (TypeError, ValueError, RuntimeError) as error:
        what = "a dict of values or of equally long columns, a DataFrame or an array of numbers"
        raise UserError(f"rows are {what}: {error}") from error
    given = [clean_heading(name) for name in frame.columns]
    _check_there(spec.column_names, given, "the input")
    table = to_table(frame.loc[:, [name in spec.column_names for name in given]])
    return _encoded(spec, marks_to_null(table, spec.reading.get("missing", ()))), single


@PARTIAL_READERS.register("numeric")
@PARTIAL_READERS.register("categorical")
def read_readable_rows(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray]:
    """The rows of a file without cells that cannot be read, as a batch, and the mask (n,) of these among all rows;
    the others are said."""
    table = _as_in_training(spec, path)[0]
    unread = UnreadableRows(len(table))
    batch = _encoded(spec, table, place_in(path, spec.reading.get("encoding")), unread)
    report_unread(unread.rows, unread.why, "rows")
    return {name: values[~unread.rows] for name, values in batch.items()}, ~unread.rows


def _encoded(spec: DataSpec, table: pa.Table, place: Place = row_number, unread: UnreadableRows | None = None) -> Batch:
    """New rows as a batch; what is unlike training in them is said."""
    _check_there(spec.column_names, table.column_names, "the input")
    if not len(table):
        raise UserError("there are no rows in this input")
    batch = encode(spec.columns, table, dates=spec.reading.get("dates"), place=place, refuse=unread or refuse_cells)
    rows = np.ones(len(table), dtype=bool) if unread is None else ~unread.rows
    report_drift(spec.columns, table, batch, rows, place)
    return batch


def _check_there(names: Sequence[str], given: Sequence[str], where: str) -> None:
    """Raise UserError, with the nearest name, unless all columns are among those given."""
    for name in names:
        if name not in given:
            raise UserError(f"{where} lacks a column: {unknown_name('column', name, given)}")


def _as_in_training(
    spec: DataSpec, path: Path, cache: bool | str = False, encoding: str | None = None
) -> tuple[pa.Table, Path | None]:
    """The table of a file, and the file of the cache it is mapped from, if it is."""
    text = [column.name for column in spec.columns if column.kind == "categorical"]
    reading = CellOptions(text, **{name: spec.reading[name] for name in CellOptions._fields if name in spec.reading})
    reading = reading._replace(encoding=encoding or reading.encoding)
    (keep,) = cache_files([path], cache, reading)
    return read_table(path, reading, cache=keep), keep


@LABELLED_READERS.register("csv")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """All rows of another file whose target is known, as a model with `spec` was trained to read them."""
    if data["path"] is None:
        raise UserError("say which table to measure on: data=csv data.path=<file>")
    path, names = Path(data["path"]).expanduser(), target_names(spec)
    encoding = data.get("encoding") or spec.reading.get("encoding")
    table, keep = _as_in_training(spec, path, data.get("cache", "auto"), encoding)
    _check_there((*names, *spec.column_names), table.column_names, str(path))
    place, task = place_in(path, encoding), create_task(spec)
    targets = target_columns(table, names, np.arange(0), place, beside=table)
    known = rows_with_targets(targets, task)
    if not len(known):
        raise UserError(f"no row of {path} has a value of {quoted_list(names)} to measure with")
    values = task.targets([replace(column, used=known) for column in targets])
    echo(f"{path.name}: all {len(known):,} rows whose {quoted_list(names)} is known")
    part = _parts(spec.columns, table, values, dates=spec.reading.get("dates"), place=place, keep=keep)
    return part(known)


def _frame(spec: DataSpec, raw: Any) -> tuple[pd.DataFrame, bool]:
    """Rows in memory as a DataFrame, and whether it was a single row."""
    if isinstance(raw, pd.DataFrame):
        return raw, False
    if isinstance(raw, pd.Series | Mapping):
        values = {name: np.asarray(value) if isinstance(value, Tensor) else value for name, value in raw.items()}
        single = all(np.ndim(value) == 0 for value in values.values())
        return pd.DataFrame([values] if single else values), single
    if isinstance(raw, Sequence) and raw and all(isinstance(row, Mapping) for row in raw):
        return pd.DataFrame(list(raw)), False
    return _array_frame(spec, raw)


def _array_frame(spec: DataSpec, raw: Any) -> tuple[pd.DataFrame, bool]:
    names = spec.column_names
    if any(column.kind not in ("numeric", "boolean") for column in spec.columns):
        raise UserError("rows with text or dates are given by name: as a dict, a DataFrame or a file; columns: "
                        f"{quoted_list(names)}")  # fmt: skip
    rows = np.asarray(raw, dtype=np.float64)
    single = rows.ndim == 1
    rows = rows[None] if single else rows
    if rows.ndim != 2 or rows.shape[1] != len(names) or not len(rows):
        raise UserError(f"a row here has {len(names)} numbers; got an array of shape {rows.shape}")
    return pd.DataFrame(rows, columns=names), single


def schema_yaml(spec: DataSpec) -> str:
    """The target and the kinds of all columns as yaml, to be corrected and read back by `data.schema=`."""
    kinds = {column.name: column.kind for column in spec.columns}
    kinds |= dict.fromkeys(spec.reading.get("ignored", ()), "ignore")
    names = target_names(spec)
    return to_yaml({"target": names if len(names) > 1 else spec.target_name, "columns": kinds}, allow_unicode=True)
