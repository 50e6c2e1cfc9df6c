"""Build the splits of a table: infer its columns from the training rows, and encode them as tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from torch import Tensor

from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import Column, DataSpec
from zoo.data.columns.arrow import to_table
from zoo.data.columns.cell_errors import Place, row_number
from zoo.data.columns.encode import encode, table_inputs
from zoo.data.columns.infer import Inferred, infer_columns
from zoo.data.columns.targets import choose_task, target_columns
from zoo.data.columns.text import quoted_list
from zoo.data.registry import Facts
from zoo.data.splits import Split, Splits, TensorSplit
from zoo.data.stored import stored_split
from zoo.data.tables._mapped_rows import map_rows
from zoo.data.tables._row_splits import SplitRows
from zoo.tasks import TASKS


@dataclass(frozen=True)
class TableData:
    """A table, and what is known of it before its columns are inferred.

    Args:
        name: of the data set.
        frame: all rows, as a DataFrame or an Arrow table.
        target: heading of the column to predict, or of several.
        facts: of the data set; the task "any" is inferred.
        kinds: of columns: "numeric", "boolean", "categorical", "date" or "ignore". Others are inferred from the
            training rows, and ignored if a model cannot learn from them (constant, duplicate, an id).
        target_kinds: of targets, where given.
        class_names: the classes in their order, as the target names them; None sorts them.
        max_categories: of one column; rarer ones count as unseen.
        reading: further entries of the spec's `reading`.
        place: names a row.
        cache: the file of the cache that `frame` is mapped from; the tensors are written beside it. None keeps them in
            memory.
    """

    name: str
    frame: pd.DataFrame | pa.Table
    target: str | Sequence[str]
    facts: Facts
    kinds: Mapping[str, str] = field(default_factory=dict)
    target_kinds: Mapping[str, str] = field(default_factory=dict)
    class_names: Sequence[str] | None = None
    max_categories: int = 1000
    reading: Mapping[str, Any] = field(default_factory=dict)
    place: Place = row_number
    cache: Path | None = None

    @property
    def target_names(self) -> list[str]:
        """Headings of the targets."""
        return [self.target] if isinstance(self.target, str) else list(self.target)


def build_splits(data: TableData, rows: SplitRows) -> Splits:
    """Infer the columns of a table from its training rows, encode all rows, and split them.

    Raises:
        UserError: for a column that cannot be read as its kind, and if there is nothing to learn from or to predict.
    """
    table, names = to_table(data.frame), data.target_names
    for name in names:
        if name not in table.column_names:
            raise unknown_name("column", name, table.column_names)
    inputs = table.drop_columns(names)
    inferred = infer_columns(inputs, rows.train, data.kinds, data.max_categories, data.place)
    _refuse_no_columns(inferred, names)
    targets = target_columns(
        table, names, rows.train, data.place, data.target_kinds, used=np.concatenate(rows), beside=inputs
    )
    task = choose_task(targets) if data.facts.task == "any" else data.facts.task
    values, fields = TASKS.get(task).encode(targets, data.class_names)
    encoder = TableEncoder(inferred.columns, inferred.dates, data.place, data.cache)
    train, val, test = encoder.splits(inputs, values, rows)
    return Splits(_spec(data, task, inferred, fields), train, val, test)


def _refuse_no_columns(inferred: Inferred, targets: Sequence[str]) -> None:
    if not inferred.columns:
        ignored = f"ignored: {quoted_list(inferred.ignored)}\nset the kinds of some in a schema file, data.schema=FILE"
        why = ignored if inferred.ignored else "it is the only one"
        raise UserError(f"no column is left to learn {quoted_list(targets)} from; {why}")


def _spec(data: TableData, task: str, inferred: Inferred, fields: Mapping[str, Any]) -> DataSpec:
    names = data.target_names
    found = {"ignored": inferred.ignored, "dates": inferred.dates, "targets": names if len(names) > 1 else []}
    return DataSpec(
        name=data.name,
        task=task,
        inputs=table_inputs(inferred.columns),
        columns=inferred.columns,
        reading={**data.reading, **{key: value for key, value in found.items() if value}},
        licence=data.facts.licence,
        source=data.facts.source,
        **({"target_name": ", ".join(names)} | dict(fields)),
    )


@dataclass(frozen=True)
class TableEncoder:
    """Encodes tables with the columns of a spec.

    Args:
        columns: to encode.
        dates: the formats of columns whose dates are text.
        place: names a row.
        cache: the file of the cache that the table is mapped from; the tensors are written beside it. None keeps them
            in memory.
    """

    columns: Sequence[Column]
    dates: Mapping[str, str] | None
    place: Place
    cache: Path | None

    def splits(self, table: pa.Table, target: Tensor, rows: Sequence[np.ndarray]) -> list[Split]:
        """Encode a table once, and select the rows of each split."""
        if self.cache is None:
            tensors = encode(self.columns, table, dates=self.dates, place=self.place)
            whole = TensorSplit(**tensors, target=target)
            return [whole.subset(index) for index in rows]
        sources = map_rows(self.columns, table, dates=self.dates, place=self.place, cache=self.cache)
        return [stored_split(index, target[index], **sources) for index in rows]
