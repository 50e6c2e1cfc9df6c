"""A table of the user's own, as CSV of any dialect, JSON lines or Parquet: data=csv data.path=... data.target=..."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.safe_yaml import read_yaml
from zoo.data import DATA, Facts
from zoo.data.columns.arrow import is_missing, is_number, to_array
from zoo.data.columns.cell_errors import Place, refuse_cells
from zoo.data.columns.dates import read_dates
from zoo.data.columns.missing_marks import default_marks
from zoo.data.columns.numbers import as_numbers
from zoo.data.columns.targets import ArrowTargets, choose_task, rows_with_targets, target_columns
from zoo.data.columns.text import as_text, quoted_list
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.pandas_index import drop_index
from zoo.data.formats.table_file import check_path, find_row
from zoo.data.hashing import input_hashes_in_memory
from zoo.data.leakage import report_duplicates
from zoo.data.options import as_strings, clean_heading, match_heading, match_headings
from zoo.data.random_split import check_shares
from zoo.data.splits import Splits
from zoo.data.tables._own_file import find_column, read_own_files
from zoo.data.tables._row_splits import split_rows
from zoo.data.tables._table import schema_yaml, table_splits
from zoo.tasks import TASKS

FACTS = Facts(
    task="any",
    rows="those of the file",
    inputs="numeric and categorical, as the columns are",
    licence="the user's own data",
    source="a file of the user's",
)
SPLITS = ("random", "stratified", "group", "time")
QUOTED = "\"data.target='null'\""
FEWEST = 10  # rows of a table


@DATA.register("csv")
def csv(
    *,
    path: str | None = None,
    target: str | Sequence[str] | None = None,
    task: str | None = None,
    test_path: str | None = None,
    schema: str | None = None,
    ignore: Sequence[str] | None = None,
    split: str | None = None,
    group: str | None = None,
    time: str | None = None,
    val_share: float = 0.2,
    test_share: float = 0.2,
    split_seed: int = 0,
    fold: int | None = None,
    n_folds: int = 5,
    max_categories: int = 1000,
    missing: Sequence[str] | None = None,
    not_missing: Sequence[str] | None = None,
    encoding: str | None = None,
    cache: bool | str = "auto",
) -> Splits:
    """A table with headings in its first line. What is inferred and what is left out is said, in one line each.

    Args:
        path: a .csv, .tsv, .txt, .jsonl or .parquet file, also packed as .gz, .bz2, .xz or .zip.
        target: heading of the column to predict, or of several. Rows without a value there are left out.
        task: the name of a task, such as "classification" or "regression"; None infers it.
        test_path: a file with the rows to test on; None cuts them off `path`.
        schema: a yaml file such as a run's schema.yaml, with `columns: {heading: kind}` for those not to be inferred;
            a kind is numeric, boolean, categorical, date or ignore. `target:` in it stands in for the option.
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
        max_categories: of one column; the rarest beyond that count as not seen.
        missing: marks of missing values, beside the empty cell, NA, ?, - and the like.
        not_missing: of these usual marks, those that are values in columns of text, such as NA for North America.
        encoding: of files that are not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        cache: stream the files once into mapped files of the cache folder, and hold only single columns in memory;
            "auto" does where they take more than a quarter of the free memory.

    Raises:
        UserError: for options that do not fit, and a file that is no table or does not hold what it is said to.
    """
    given = _schema(schema)
    target = given.get("target") if target is None else target
    if path is None or target is None:
        raise UserError("data=csv needs data.path=<file> and data.target=<heading of the column to predict>\n"
                        f"quote a heading that is null: {QUOTED}")  # fmt: skip
    if test_path and fold is not None:
        raise UserError("data.fold tests on rows of data.path, data.test_path on those of another file: leave out one")
    check_shares(val_share, test_share)
    if max_categories < 1:
        raise UserError(f"data.max_categories is at least 1; got {max_categories}")
    if task is not None:
        TASKS.get(task)
    text = [clean_heading(one) for one, kind in given["columns"].items() if kind == "categorical"]
    reading = CellOptions(
        text, as_strings(missing), default_marks(not_missing), None if encoding is None else str(encoding)
    )
    name, paths = Path(path).name, [Path(one).expanduser() for one in (path, test_path) if one]
    table, n_own, place, mark, index, keep = read_own_files(paths, reading, cache)
    names = table.column_names
    quote = "" if isinstance(target, str) else f"\nquote a heading that is a number or a truth value: {QUOTED}"
    targets = match_headings(target, names)
    for one in targets:
        if one not in names:
            raise _no_target(one, names, paths[0], reading, quote)
    group, time = (None if one is None else match_heading(one, names) for one in (group, time))
    kinds = dict.fromkeys(filter(None, (group, time)), "ignore")
    kinds |= {match_heading(one, names): kind for one, kind in given["columns"].items()}
    kinds |= dict.fromkeys(match_headings(ignore, names), "ignore")
    target_kinds = {one: kinds.pop(one) for one in targets if one in kinds}
    table = drop_index(table, index, {*targets, *kinds})
    columns = target_columns(table, targets, np.arange(0), place, target_kinds)
    rows = rows_with_targets(columns, TASKS.get(task) if task else None)
    _report_rows_without(columns, rows, mark, reading.not_missing)
    own = rows[rows < n_own]
    if len(own) < FEWEST:
        what = quoted_list(targets)
        raise UserError(f"there are {FEWEST} rows at least to learn from; {path} has {len(own)} with a {what}")
    task = task or choose_task([replace(column, train=own) for column in columns])
    goal, stratified = columns[0].array, TASKS.get(task).stratified
    if stratified:
        _check_classes(targets[0], goal, own, place)
    split = split or _default_split(stratified, group, time)
    if split == "stratified" and not stratified:
        what = "is a number" if len(targets) == 1 else "are several columns"
        raise UserError(f"split=stratified goes by classes; {quoted_list(targets)} {what}: data.split=random")
    parts = split_rows(
        split,
        _by(split, table, goal, group, time, own, place),
        val_share=val_share,
        test_share=None if test_path else test_share,
        split_seed=split_seed,
        fold=fold,
        n_folds=n_folds,
    )
    train, val, test = (own[part] for part in parts)
    test = rows[rows >= n_own] if test_path else test
    splits = table_splits(
        name.split(".")[0],
        table,
        targets,
        train=train,
        val=val,
        test=test,
        kinds=kinds,
        task=task,
        max_categories=max_categories,
        reading={what: value for what, value in reading._asdict().items() if value and what != "text"},
        place=place,
        keep=keep,
        licence=FACTS.licence,
        source=FACTS.source,
    )
    counts = Counter(column.kind for column in splits.spec.columns)
    echo(f"{name}: {len(train):,} / {len(val):,} / {len(test):,} rows to train, validate and test, split: {split}; "
          f"columns: {', '.join(f'{n:,} {kind}' for kind, n in counts.items())}")  # fmt: skip
    report_duplicates(*map(input_hashes_in_memory, (splits.train, splits.val, splits.test)))
    return replace(splits, files={"schema.yaml": schema_yaml(splits.spec)})


def _schema(path: str | None) -> dict[str, Any]:
    if path is None:
        return {"columns": {}}
    file = Path(path).expanduser()
    check_path(file)
    values = read_yaml(file)
    if not isinstance(values, Mapping) or not isinstance(values.get("columns", {}), Mapping):
        raise UserError(f"data.schema={path} holds `columns:` with a line `heading: kind` for each; got {values!r:.80}")
    for key in values:
        if key not in ("target", "columns"):
            raise unknown_name(f"entry of {path}", key, ("target", "columns"))
    return {"columns": {}, **values}


def _no_target(target: str, names: Sequence[str], path: Path, reading: CellOptions, quote: str) -> UserError:
    row = find_row(path, reading, target)
    hint = f"\nrow {row} has it: if it is the headings, delete the rows above it, or begin each of them with #"
    where = f" (headings: first line of {path}, parted by comma, semicolon, tab or |)"
    return UserError(f"{unknown_name('column', target, names)}{where}{hint if row else ''}{quote}")


def _report_rows_without(
    columns: Sequence[ArrowTargets],
    rows: np.ndarray,
    mark: Callable[[str, int], str | None],
    not_missing: Sequence[str],
) -> None:
    """Tell the user which rows are left out, as they have no target; `rows` are those that have one."""
    for column in columns:
        n, without = len(column.array), np.setdiff1d(np.flatnonzero(~column.known()), rows)
        if len(without):
            first = ", ".join(column.place(int(row)) for row in without[:3])
            marked = mark(column.name, int(without[0]))
            values = ",".join(f"'{one}'" for one in (*not_missing, marked))
            hint = f', marked {marked!r}; if that is a value: "data.not_missing=[{values}]"' if marked else ""
            echo(f"left out, '{column.name}' missing: {len(without):,} of {n:,} rows ({first}, ...){hint}")


def _check_classes(target: str, goal: pa.Array, rows: np.ndarray, place: Place) -> None:
    known = goal.take(pa.array(rows))
    n = pc.count_distinct(known).as_py()
    if 2 * n > len(known):
        odd = np.isnan(as_numbers(known))
        one = int(np.argmax(odd))  # the first that is no number, if there is one
        fix = "write amounts as numbers without text" if odd.any() else "say data.task=regression if these are amounts"
        raise UserError(f"classes have two rows each at least, on average; '{target}' has {n:,} different values in "
                        f"{len(known):,} rows, such as {known[one].as_py()!r} in {place(int(rows[one]))}\n"
                        f"{fix}, or predict another column")  # fmt: skip


def _default_split(stratified: bool, group: str | None, time: str | None) -> str:
    if group or time:
        return "group" if group else "time"
    return "stratified" if stratified else "random"


def _by(
    split: str,
    table: pa.Table,
    goal: pa.Array,
    group: str | None,
    time: str | None,
    rows: np.ndarray,
    place: Place,
) -> np.ndarray:
    """What the split goes by: a number for each of `rows`."""
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    name = {"group": group, "time": time}.get(split)
    if split in ("group", "time") and name is None:
        raise UserError(f"data.split={split} needs the column: data.{split}=<heading>")
    column = goal if name is None else to_array(find_column(table, name))
    empty = is_missing(column)
    refuse_cells(
        f"each row has its {split}, '{name}'", column, empty & np.isin(np.arange(len(empty)), rows), place, "fill it in"
    )
    if split == "time" and is_number(column.type):
        return as_numbers(column)[rows]
    if split == "time":
        return read_dates(str(name), column, place).to_numpy()[rows]
    return as_text(column).dictionary_encode().indices.fill_null(-1).to_numpy()[rows]
