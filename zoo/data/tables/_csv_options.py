"""The options of data=csv."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.core.errors import UserError
from zoo.data.columns.missing_marks import default_marks
from zoo.data.formats.cell_options import CellOptions
from zoo.data.options import as_strings
from zoo.data.random_split import check_shares
from zoo.data.tables._roles import QUOTED, Schema
from zoo.data.tables._row_splits import SplitPlan
from zoo.tasks import TASKS


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
        missing: marks of missing values, in addition to defaults such as the empty cell, NA, ? and -.
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

    def completed(self, schema: Schema) -> "TableOptions":
        """These options with the target of the schema as default; UserError for options that do not fit together."""
        options = replace(self, target=schema.target) if self.target is None else self
        options._check()
        return options

    def _check(self) -> None:
        if self.path is None or self.target is None:
            raise UserError("data=csv needs data.path=<file> and data.target=<heading of the column to predict>\n"
                            f"quote a heading that is null: {QUOTED}")  # fmt: skip
        if self.test_path and self.fold is not None:
            raise UserError(
                "data.fold tests on rows of data.path, data.test_path on those of another file: leave out one"
            )
        check_shares(self.val_share, self.test_share)
        if self.max_categories < 1:
            raise UserError(f"data.max_categories is at least 1; got {self.max_categories}")
        if self.task is not None:
            TASKS.get(self.task)

    @property
    def paths(self) -> list[Path]:
        """The file to train on, and the one to test on if there is one."""
        return [Path(path).expanduser() for path in (self.path, self.test_path) if path]

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
