"""A table of the user's own, such as CSV, JSON lines or Parquet: data=csv data.path=... data.target=...

The file is opened as an Arrow table; its columns get their roles; the rows with a target are split; the other columns
are inferred from the training rows and encoded as tensors.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_missing, is_number, to_array
from zoo.data.columns.cell_errors import refuse_cells
from zoo.data.columns.dates import read_dates
from zoo.data.columns.missing_marks import default_marks
from zoo.data.columns.numbers import as_numbers
from zoo.data.columns.targets import ArrowTargets, choose_task, rows_with_targets, target_columns
from zoo.data.columns.text import as_text, quoted_list
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.pandas_index import drop_index
from zoo.data.formats.table_file import find_row
from zoo.data.leakage import report_duplicates
from zoo.data.options import as_strings, takes_options
from zoo.data.random_split import check_shares
from zoo.data.registry import DATA, Facts
from zoo.data.splits import Splits
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._roles import QUOTED, Roles, Schema, assign_roles, read_schema, schema_yaml
from zoo.data.tables._row_splits import SplitPlan, SplitRows, split_rows
from zoo.data.tables._user_table import UserTable, open_user_table
from zoo.tasks import TASKS

FACTS = Facts(
    task="any",
    rows="those of the file",
    inputs="numeric and categorical, as the columns are",
    licence="the user's own data",
    source="a file of the user's",
)
MIN_ROWS = 10  # of a table, with a target


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Options of data=csv.

    Args:
        path: a file of a registered format, such as .csv, .jsonl or .parquet, also packed as .gz, .bz2, .xz or .zip.
        target: heading of the column to predict, or of several. Rows without a value there are left out.
        task: the name of a task, such as "classification" or "regression"; None infers it.
        test_path: a file with the rows to test on; None takes them from `path`.
        schema: a yaml file such as a run's schema.yaml, with `columns: {heading: kind}` for those not to be inferred;
            a kind is numeric, boolean, categorical, date or ignore. Its `target:` is the default of the option.
        ignore: headings of columns to leave out.
        split: "random", "stratified", "group" or "time"; None is group or time if such a column is given, else
            stratified for classes and random for numbers.
        group: column whose equal values stay in one split, such as a patient. Not an input unless the schema says so.
        time: column by which the latest rows test. Not an input unless the schema says so.
        val_share: share of the rows of `path` that validate.
        test_share: share of the rows of `path` that test.
        split_seed: of the split.
        fold: test on this one of `n_folds` parts, from 0; None makes no folds.
        n_folds: parts.
        max_categories: of one column; rarer ones count as unseen.
        missing: marks of missing values, in addition to the empty cell, NA, ?, - and the like.
        not_missing: default marks that are values in columns of text, such as NA for North America.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        cache: write the tables once to the cache, map them from there, and hold only single columns in memory; "auto"
            does so for tables that take more than a quarter of the free memory.
    """

    path: str | None = None
    target: str | Sequence[str] | None = None
    task: str | None = None
    test_path: str | None = None
    schema: str | None = None
    ignore: Sequence[str] | None = None
    split: str | None = None
    group: str | None = None
    time: str | None = None
    val_share: float = 0.2
    test_share: float = 0.2
    split_seed: int = 0
    fold: int | None = None
    n_folds: int = 5
    max_categories: int = 1000
    missing: Sequence[str] | None = None
    not_missing: Sequence[str] | None = None
    encoding: str | None = None
    cache: bool | str = "auto"

    def check(self) -> None:
        """Raise UserError for options that do not fit together."""
        if self.test_path and self.fold is not None:
            raise UserError(
                "data.fold tests on rows of data.path, data.test_path on those of another file: leave out one"
            )
        check_shares(self.val_share, self.test_share)
        if self.max_categories < 1:
            raise UserError(f"data.max_categories is at least 1; got {self.max_categories}")
        if self.task is not None:
            TASKS.get(self.task)

    def cells(self, schema: Schema) -> CellOptions:
        """The options for reading cells."""
        encoding = None if self.encoding is None else str(self.encoding)
        return CellOptions(schema.text_columns, as_strings(self.missing), default_marks(self.not_missing), encoding)

    def split_plan(self, kind: str) -> SplitPlan:
        """The plan of a split of this kind."""
        test_share = None if self.test_path else self.test_share
        return SplitPlan(
            kind=kind,
            val_share=self.val_share,
            test_share=test_share,
            split_seed=self.split_seed,
            fold=self.fold,
            n_folds=self.n_folds,
        )


@DATA.register("csv")
@takes_options(TableOptions)
def csv(options: TableOptions) -> Splits:
    """Load a table with headings in its first line; report what is inferred and what is left out, in a line each.

    Raises:
        UserError: for options that do not fit, and for a file that is no table or not what the options say.
    """
    schema = read_schema(options.schema)
    target = schema.target if options.target is None else options.target
    if options.path is None or target is None:
        raise UserError("data=csv needs data.path=<file> and data.target=<heading of the column to predict>\n"
                        f"quote a heading that is null: {QUOTED}")  # fmt: skip
    options.check()
    path, cells = Path(options.path), options.cells(schema)
    file = open_user_table([Path(p).expanduser() for p in (options.path, options.test_path) if p], cells, options.cache)
    names = file.table.column_names
    roles = assign_roles(names, schema, target, group=options.group, time=options.time, ignore=options.ignore)
    _check_targets(roles, target, names, path.expanduser(), cells)
    file = file._replace(table=drop_index(file.table, file.index_columns, roles.named))
    targets, rows = _find_targets(file, roles, options.task, cells.not_missing)
    train_rows = rows[rows < file.n]
    if len(train_rows) < MIN_ROWS:
        raise UserError(f"a table needs at least {MIN_ROWS} rows to learn from; {path} has {len(train_rows)} with a "
                        f"{quoted_list(roles.targets)}")  # fmt: skip
    task = options.task or choose_task([replace(column, train=train_rows) for column in targets])
    kind = _choose_split(options.split, TASKS.get(task).stratified, roles)
    if TASKS.get(task).stratified:
        _check_classes(targets[0], train_rows)
    parts = split_rows(options.split_plan(kind), _split_values(kind, file, roles, targets[0], train_rows))
    train, val, test = (train_rows[part] for part in parts)
    split = SplitRows(train, val, rows[rows >= file.n] if options.test_path else test)
    data = TableData(
        path.name.split(".")[0],
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
    splits = build_splits(data, split)
    _report(path.name, splits, split, kind)
    return replace(splits, files={"schema.yaml": schema_yaml(splits.spec)})


def _check_targets(
    roles: Roles, target: str | Sequence[str], names: Sequence[str], path: Path, cells: CellOptions
) -> None:
    """Raise UserError, with the nearest name, for a target that is no column."""
    for name in roles.targets:
        if name not in names:
            row = find_row(path, cells, name)
            hint = f"\nrow {row} has it: if it is the headings, delete the rows above it, or begin each of them with #"
            where = f" (headings: first line of {path}, separated by comma, semicolon, tab or |)"
            quote = f"\nquote a heading that is a number or a boolean: {QUOTED}" * (not isinstance(target, str))
            raise UserError(f"{unknown_name('column', name, names)}{where}{hint if row else ''}{quote}")


# -- rows with targets


def _find_targets(
    file: UserTable, roles: Roles, task: str | None, not_missing: Sequence[str]
) -> tuple[list[ArrowTargets], np.ndarray]:
    """The columns of targets, and the rows that have them; report those that are left out."""
    columns = target_columns(file.table, roles.targets, np.arange(0), file.place, roles.target_kinds)
    rows = rows_with_targets(columns, TASKS.get(task) if task else None)
    for column in columns:
        n, without = len(column.array), np.setdiff1d(np.flatnonzero(~column.known()), rows)
        if len(without):
            first = ", ".join(column.place(int(row)) for row in without[:3])
            mark = file.mark(column.name, int(without[0]))
            values = ",".join(f"'{value}'" for value in (*not_missing, mark))
            hint = f', marked {mark!r}; if that is a value: "data.not_missing=[{values}]"' if mark else ""
            echo(f"left out, '{column.name}' missing: {len(without):,} of {n:,} rows ({first}, ...){hint}")
    return columns, rows


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


def _report(name: str, splits: Splits, rows: SplitRows, kind: str) -> None:
    counts = Counter(column.kind for column in splits.spec.columns)
    sizes = " / ".join(f"{len(part):,}" for part in rows)
    echo(f"{name}: {sizes} rows to train, validate and test, split: {kind}; "
         f"columns: {', '.join(f'{n:,} {kind}' for kind, n in counts.items())}")  # fmt: skip
    report_duplicates(splits)
