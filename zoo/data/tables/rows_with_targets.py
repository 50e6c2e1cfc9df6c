"""Read new rows of a table with the targets that they have."""

from typing import Any

import numpy as np

from zoo.core.console import echo
from zoo.core.spec import DataSpec
from zoo.data.columns.targets import rows_with_targets, target_columns, target_names
from zoo.data.columns.text import quoted_list
from zoo.data.splits import Batch
from zoo.data.tables._new_rows import encode_rows, read_rows
from zoo.tasks import create_task


def read_rows_with_targets(spec: DataSpec, raw: Any) -> Batch:
    """Read rows, as `read_new_rows` takes them, as a batch, with "target" where they have the columns of targets; rows
    without a value there are left out, which is reported."""
    names = target_names(spec)
    table, place, _ = read_rows(spec, raw, names)
    batch, task = encode_rows(spec, table, place), create_task(spec)
    if not set(names) <= set(table.column_names):
        return batch
    targets = target_columns(table, names, np.arange(0), place)
    rows = rows_with_targets(targets, task)
    if not len(rows):
        return batch
    if n_without := len(table) - len(rows):
        echo(f"left out, {quoted_list(names)} missing: {n_without:,} of {len(table):,} rows")
    return {name: values[rows] for name, values in {**batch, "target": task.targets(targets)}.items()}
