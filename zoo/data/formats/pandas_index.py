"""The index that pandas writes to a Parquet file as columns."""

import json
from collections.abc import Collection, Iterable

import pyarrow as pa

from zoo.core.console import echo
from zoo.data.columns.arrow import is_date
from zoo.data.options import clean_heading


def pandas_index(table: pa.Table) -> list[str]:
    """The columns that were the index of a DataFrame."""
    try:
        names = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        return []
    names = [clean_heading(name) for name in names if isinstance(name, str)]
    return [name for name in names if name in table.column_names]


def untimed_index(table: pa.Table) -> list[str]:
    """The index columns that are not times, which would order the rows."""
    return [name for name in pandas_index(table) if not is_date(table[name].type)]


def drop_index(table: pa.Table, index: Iterable[str], named: Collection[str]) -> pa.Table:
    """Drop the index columns, except for those that an option names; report it."""
    index = [name for name in index if name in table.column_names and name not in named]
    if index:
        names = ", ".join(f"'{name}'" for name in index)
        echo(f"ignored, an index of pandas: {names}; to keep one, name it in an option, such as data.schema=")
    return table.drop_columns(index)
