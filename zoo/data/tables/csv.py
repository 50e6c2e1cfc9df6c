"""A user's table, such as CSV, JSON lines or Parquet: data=csv data.path=... data.target=...

The file is opened as an Arrow table; its columns get their roles; the rows with a target are split; the other columns
are inferred from the training rows and encoded as tensors.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_missing, is_number, to_array
from zoo.data.columns.cell_errors import refuse_cells
from zoo.data.columns.dates import read_dates
from zoo.data.columns.numbers import as_numbers
from zoo.data.columns.targets import ArrowTargets, choose_task, rows_with_targets, target_columns
from zoo.data.columns.text import as_text, quoted_list
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.pandas_index import drop_index
from zoo.data.formats.table_file import find_row
from zoo.data.leakage import report_duplicates
from zoo.data.options import takes_options
from zoo.data.registry import DATA, Facts
from zoo.data.splits import Splits
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._csv_options import TableOptions
from zoo.data.tables._roles import QUOTED, Roles, Schema, assign_roles, read_schema, schema_yaml
from zoo.data.tables._row_splits import SplitRows, split_rows
from zoo.data.tables._user_table import UserTable, open_user_table
from zoo.tasks import TASKS

FACTS = Facts(
    task="any",
    rows="those of the file",
    inputs="numeric and categorical, as the columns are",
    licence="that of your data",
    source="your file",
)
MIN_LABELLED_ROWS = 10  # of a table, with a target


@DATA.register("csv")
@takes_options(TableOptions)
def csv(options: TableOptions) -> Splits:
    """Load a table with headings in its first line; report what is inferred and what is left out, in a line each.

    Raises:
        UserError: for options that do not fit, and for a file that is no table or not what the options say.
    """
    schema = read_schema(options.schema)
    options = options.completed(schema)
    cells = options.cells(schema)
    file = open_user_table(options.paths, cells, options.cache)
    roles = _assign_roles(options, schema, file, cells)
    file = file._replace(table=drop_index(file.table, file.index_columns, roles.named))
    targets, labelled = _find_targets(options, cells, file, roles)
    task = options.task or choose_task([replace(column, train=labelled[labelled < file.n]) for column in targets])
    stratified = TASKS.get(task).stratified
    kind = _choose_split(options.split, stratified, roles)
    if stratified:
        _check_classes(targets[0], labelled[labelled < file.n])
    own = labelled[labelled < file.n]
    by = _split_values(kind, file, roles, targets[0], own)
    rows = _split(options, kind, by, own, labelled)
    splits = build_splits(_describe(options, cells, file, roles, task), rows)
    _report(options.paths[0].name, splits, rows, kind)
    groups = by[np.searchsorted(own, np.concatenate(rows[:2]))] if kind == "group" else None
    return replace(splits, files={"schema.yaml": schema_yaml(splits.spec)}, groups=groups, in_order=kind == "time")


def _assign_roles(options: TableOptions, schema: Schema, file: UserTable, cells: CellOptions) -> Roles:
    """Match the headings of options and schema with those of the table. UserError for a target that is no column."""
    names, path = file.table.column_names, options.paths[0]
    roles = assign_roles(names, schema, options.target, group=options.group, time=options.time, ignore=options.ignore)
    for name in roles.targets:
        if name not in names:
            row = find_row(path, cells, name)
            hint = f"\nrow {row} has it: if it is the headings, delete the rows above it, or begin each of them with #"
            where = f" (headings: first line of {path}, separated by comma, semicolon, tab or |)"
            quote = f"\nquote a heading that is a number or a boolean: {QUOTED}" * (not isinstance(options.target, str))
            raise UserError(f"{unknown_name('column', name, names)}{where}{hint if row else ''}{quote}")
    return roles


def _describe(options: TableOptions, cells: CellOptions, file: UserTable, roles: Roles, task: str) -> TableData:
    return TableData(
        options.paths[0].name.split(".")[0],
        file.table,
        roles.targets,
        FACTS._replace(task=task),
        kinds=roles.kinds,
        target_kinds=roles.target_kinds,
        max_categories=options.max_categories,
        reading={name: value for name, value in cells._asdict().items() if value and name != "text"},
        place=file.place,
        cache=file.cache,
    )


def _report(name: str, splits: Splits, rows: SplitRows, kind: str) -> None:
    counts = Counter(column.kind for column in splits.spec.columns)
    sizes = " / ".join(f"{len(part):,}" for part in rows)
    echo(f"{name}: {sizes} rows to train, validate and test, split: {kind}; "
         f"columns: {', '.join(f'{n:,} {kind}' for kind, n in counts.items())}")  # fmt: skip
    report_duplicates(splits)


# -- rows with targets


def _find_targets(
    options: TableOptions, cells: CellOptions, file: UserTable, roles: Roles
) -> tuple[list[ArrowTargets], np.ndarray]:
    """The columns of targets, and the rows that have them. UserError for too few rows to learn from."""
    columns = target_columns(file.table, roles.targets, np.arange(0), file.place, roles.target_kinds)
    rows = rows_with_targets(columns, TASKS.get(options.task) if options.task else None)
    for column in columns:
        _report_missing(column, rows, file, cells.not_missing)
    if (n := int((rows < file.n).sum())) < MIN_LABELLED_ROWS:
        raise UserError(f"a table needs at least {MIN_LABELLED_ROWS} rows to learn from; {options.path} has {n} with a "
                        f"{quoted_list(roles.targets)}")  # fmt: skip
    return columns, rows


def _report_missing(column: ArrowTargets, rows: np.ndarray, file: UserTable, not_missing: Sequence[str]) -> None:
    """Report which rows are left out, as they lack this target; `rows` are used."""
    n, without = len(column.array), np.setdiff1d(np.flatnonzero(~column.known()), rows)
    if not len(without):
        return
    first = ", ".join(column.place(int(row)) for row in without[:3])
    mark = file.mark(column.name, int(without[0]))
    values = ",".join(f"'{value}'" for value in (*not_missing, mark))
    hint = f', marked {mark!r}; if that is a value: "data.not_missing=[{values}]"' if mark else ""
    echo(f"left out, '{column.name}' missing: {len(without):,} of {n:,} rows ({first}, ...){hint}")


def _check_classes(column: ArrowTargets, rows: np.ndarray) -> None:
    """Raise UserError if there are almost as many classes as rows."""
    values = column.array.take(rows)
    n = pc.count_distinct(values).as_py()
    if 2 * n > len(values):
        odd = np.isnan(as_numbers(values))
        first = int(np.argmax(odd))  # that is no number, if one is not
        fix = "write amounts as plain numbers" if odd.any() else "set data.task=regression if these are amounts"
        raise UserError(f"a class has at least two rows on average; '{column.name}' has {n:,} distinct values in "
                        f"{len(values):,} rows, such as {values[first].as_py()!r} in {column.place(int(rows[first]))}\n"
                        f"{fix}, or predict another column")  # fmt: skip


# -- splits


def _split(options: TableOptions, kind: str, by: np.ndarray, own: np.ndarray, labelled: np.ndarray) -> SplitRows:
    """Split the rows with targets, `own` by their values `by`; those of a second file are the test split."""
    train, val, test = (own[part] for part in split_rows(options.split_plan(kind), by))
    return SplitRows(train, val, labelled[len(own) :] if options.test_path else test)


def _choose_split(split: str | None, stratified: bool, roles: Roles) -> str:
    """The kind of split; UserError for one that does not fit the targets or lacks its column."""
    if split is None and (roles.group or roles.time):
        return "group" if roles.group else "time"
    split = split or ("stratified" if stratified else "random")
    if split == "stratified" and not stratified:
        what = "is a number" if len(roles.targets) == 1 else "are several columns"
        raise UserError(f"split=stratified goes by classes; {quoted_list(roles.targets)} {what}: data.split=random")
    if (split == "group" and not roles.group) or (split == "time" and not roles.time):
        raise UserError(f"data.split={split} needs the column: data.{split}=<heading>")
    return split


def _split_values(kind: str, file: UserTable, roles: Roles, target: ArrowTargets, rows: np.ndarray) -> np.ndarray:
    """The class, group or time of each of `rows`, as a number."""
    name = {"group": roles.group, "time": roles.time}.get(kind)
    if name is not None and name not in file.table.column_names:
        raise unknown_name("column", name, file.table.column_names)
    if kind == "random":
        return np.zeros(len(rows), dtype=np.int64)
    column = target.array if name is None else to_array(file.table[name])
    gaps = is_missing(column) & np.isin(np.arange(len(column)), rows)
    refuse_cells(f"each row has its {kind}, '{name}'", column, gaps, file.place, "fill it in")
    if kind == "time" and is_number(column.type):
        return as_numbers(column)[rows]
    if kind == "time":
        return read_dates(str(name), column, file.place).to_numpy()[rows]
    return as_text(column).dictionary_encode().indices.fill_null(-1).to_numpy()[rows]
