"""Predict for a user's file, or for every file of a folder, as one table."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zoo.core.atomic_files import check_output_path
from zoo.core.console import echo, merge_repeats
from zoo.core.errors import UserError, missing_file
from zoo.core.safe_csv import write_csv
from zoo.data.folders import list_files
from zoo.inference.predictor import Predictor
from zoo.tasks.base import SAMPLE

Table = tuple[list[str], list[list[Any]]]  # headings and rows


def predict_file(predictor: Predictor, path: Path, output: Path | None = None, coverage: float | None = None) -> Table:
    """Predict for a file, or for every file of a folder.

    Args:
        predictor: of the model.
        path: a table, an image, a recording, sequences or a series; or a folder of images or recordings.
        output: a CSV file to write.
        coverage: of the intervals or sets of classes to predict too.

    Returns:
        The table's headings and its rows: a number or file name of each sample, and the columns of
        `Predictor.tabulate`, empty for samples that cannot be read.

    Raises:
        UserError: when `path` does not exist or does not fit the model, or `output` is one of the inputs.
    """
    if not path.exists():
        raise missing_file(path)
    if output is not None:
        check_output_path(output, list_files(path) if path.is_dir() else [path])
    headings, rows = (_predict_folder if path.is_dir() else _predict_samples)(predictor, path, coverage)
    if output is not None:
        write_csv(output, [headings, *rows])
    return headings, rows


def _predict_samples(predictor: Predictor, path: Path, coverage: float | None) -> Table:
    """Predict for the samples of a file; the rows of those that cannot be read are empty."""
    columns, readable = predictor.tabulate_file(path, coverage)
    predicted = zip(*columns.values(), strict=True)
    rows: Iterable[Sequence[Any]] = predicted
    if readable is not None and len(next(iter(columns.values()))) == readable.sum():  # one row for each sample
        rows = (next(predicted) if is_read else [""] * len(columns) for is_read in readable)
    table = [[number, *row] for number, row in enumerate(rows)]
    if len(table) == 1:
        table[0][0] = path.name  # such as of an image
    return [SAMPLE, *columns], table


def _predict_folder(predictor: Predictor, folder: Path, coverage: float | None) -> Table:
    """Predict for each file of a folder; files that the model cannot take are left out, which a line reports."""
    headings: list[str] = []
    rows: list[list[Any]] = []
    skipped: list[str] = []
    files = list_files(folder)
    with merge_repeats():
        for file in files:
            try:
                columns = predictor.tabulate(file, coverage)
            except UserError as error:
                skipped.append(str(error).splitlines()[0])
                continue
            headings = [SAMPLE, *columns]
            rows += [[str(file.relative_to(folder)), *row] for row in zip(*columns.values(), strict=True)]
    if not rows:
        raise UserError("\n".join([f"none of the {len(files)} files in {folder} can be answered", *skipped[:3]]))
    if skipped:
        echo(f"left out: {len(skipped):,} of {len(files):,} files", *skipped[:5], sep="\n  ")
    return headings, rows
