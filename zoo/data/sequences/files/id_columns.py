"""Several series in one table, identified by one column of ids or by several."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.columns.arrow import is_missing, is_text, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.text import as_text

ID_NAMES = ("unique_id", "id", "series", "series_id", "item_id", "item", "sensor", "station", "store", "meter", "site")
FEW = 0.125  # distinct values per row: columns of numbers with more are not taken for ids
MOST = 8  # columns that are tried in pairs


def series_ids(table: pa.Table, names: Sequence[str], place: Place) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Tell which series each row belongs to.

    Returns:
        A code for each row (n_rows,), and the ids of each series, one for each of the columns `names`, in the order in
        which they appear.
    """
    columns = [as_text(to_array(table[name])) for name in names]
    for name, column in zip(names, columns, strict=True):
        rule = f"each row has the id of its series in column '{name}'"
        refuse_cells(rule, column, is_missing(column), place, "fill it in, or leave these rows out")
    codes, ids = pd.factorize(pd.MultiIndex.from_arrays([column.to_pandas() for column in columns]))
    return codes, [one if isinstance(one, tuple) else (one,) for one in ids]


def find_ids(table: pa.Table, times: Sequence[str], index: pd.Index) -> tuple[list[str], int] | None:
    """Find one or two columns by which each series has each time once.

    Args:
        table: of several series.
        times: the columns of times.
        index: the times (n_rows,).

    Returns:
        The columns and how many series there are; None where there are no such columns.
    """
    when = pd.factorize(index)[0]
    candidates = list(itertools.islice(possible_ids(table, times), MOST))
    for size in (1, 2):
        for columns in itertools.combinations(candidates, size):
            codes = pd.MultiIndex.from_arrays([codes for _, codes in columns]).factorize()[0]
            n = int(codes.max()) + 1
            if 2 * n <= len(codes) and not pd.MultiIndex.from_arrays([codes, when]).has_duplicates:
                return [name for name, _ in columns], n
    return None


def possible_ids(table: pa.Table, others: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Columns beside `others` that may hold ids, with their codes (n_rows,); usual names and text come first."""
    names = [name for name in table.column_names if name not in others]
    usual = [name for name in names if name.lower() in ID_NAMES or name.lower().endswith("_id")]
    columns = {name: to_array(table[name]) for name in names}
    text = [name for name in names if is_text(columns[name].type)]
    integers = [name for name in names if pa.types.is_integer(columns[name].type)]
    for name in dict.fromkeys([*usual, *text, *integers]):
        column = columns[name]
        n_distinct = pc.count_distinct(column).as_py()
        most = 0.5 if name in usual or name in text else FEW
        if not column.null_count and 1 < n_distinct <= most * len(column):
            yield name, column.dictionary_encode().indices.to_numpy()
