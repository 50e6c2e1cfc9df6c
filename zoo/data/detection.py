"""Detect which data set reads a user's file or folder, by what is in it."""

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_number, is_text, to_array
from zoo.data.columns.text import as_text
from zoo.data.folders import existing_path, suffix, walk_files
from zoo.data.formats.table_file import is_text_file, read_beginning
from zoo.data.images.suffixes import is_image_name
from zoo.data.options import as_strings, match_headings
from zoo.data.registry import FORMATS
from zoo.data.sequences.files.headerless import is_headerless
from zoo.data.sequences.files.id_columns import find_ids, series_ids
from zoo.data.sequences.files.row_table import step_columns
from zoo.data.sequences.files.step_table import named_column
from zoo.data.sequences.files.suffixes import ARRAYS, SOUNDS
from zoo.data.sequences.files.time_columns import find_times
from zoo.data.sequences.files.time_values import read_times
from zoo.data.sources.packed import inner_suffix

Target = str | Sequence[str] | None
N_FILES = 10_000  # of a folder that are looked at
FEW = 20  # different values of a column; one with more may hold texts
REGULAR, IRREGULAR = (
    0.5,
    0.2,
)  # of a series: this share of the steps or more differ by no more than this from the median
MOST = 0.8  # share of a table's characters, or columns, that tell what it holds
TAKEN = (
    "a table (.csv, .tsv, .parquet, .jsonl), a text (.txt), sequences (.npz, .npy, .ts), or a folder with a folder for "
    "each class of images, recordings or texts"
)


def detect_data(path: str | Path, model: str | None = None, target: Target = None, encoding: str | None = None) -> str:
    """Return the name of the data set that reads a file or folder: csv, imagefolder, sequences, series, texts or text.

    The suffix and the contents decide. Of a table, which may be several of these, the model and the target decide too:
    with a recurrent network it holds texts, sequences or, if no target is named, a series.

    Args:
        path: of the file or folder.
        model: the name of a model, such as "rnn" or "cnn/resnet", or several; None where the data choose it.
        target: the column to predict, or several, if any is named.
        encoding: of a text file that is not UTF-8; None is Windows-1252.

    Raises:
        UserError: for a path that does not exist or holds no data to train on, with what is taken; a target that is no
            column; and a table of which nothing tells what to predict.
    """
    found, family, targets = existing_path(path, "path"), _family(model), as_strings(target or None)
    if found.is_dir():
        return _detect_folder(found)
    kind = inner_suffix(found)
    if kind in (".ts", *ARRAYS):
        return "sequences"
    if kind in SOUNDS or is_image_name(kind and f"one{kind}"):
        raise UserError(f"{found} is one file; a training takes {TAKEN}")
    if kind == ".txt" and family != "fnn" and not targets:
        return "text"
    if kind not in FORMATS.names() and kind and not targets:
        raise UserError(f"a training takes {TAKEN}; got {found}")
    return _detect_table(found, read_beginning(found, encoding), family, targets)


def data_settings(
    path: str | Path, model: str | None = None, target: Target = None, encoding: str | None = None
) -> dict[str, Any]:
    """Return the settings of a config that read a file or folder, such as `{"data": "csv", "data.path": "a.csv"}`.

    Takes and raises what `detect_data` does.
    """
    return settings_of(detect_data(path, model, target, encoding), path, target)


def settings_of(name: str, path: str | Path, target: Target = None) -> dict[str, Any]:
    """Return the settings by which a data set reads a file or folder and predicts a column, or several."""
    is_label_table = name == "imagefolder" and Path(path).expanduser().is_file()
    settings: dict[str, Any] = {"data": name, f"data.{'labels' if is_label_table else 'path'}": str(path)}
    targets = as_strings(target or None)
    if name == "series" and targets:
        return settings | {"data.columns": targets}
    return settings | ({"data.target": targets if len(targets) > 1 else targets[0]} if targets else {})


def column_names(path: str | Path, encoding: str | None = None) -> list[str]:
    """Return the headings of the table in a file; none for what is no table."""
    found = existing_path(path, "path")
    if found.is_dir() or inner_suffix(found) not in (*FORMATS.names(), ""):
        return []
    with contextlib.suppress(*[UserError] * (inner_suffix(found) == ".txt")):
        return read_beginning(found, encoding).column_names
    return []


def _family(model: str | None) -> str:
    """The family of a model, or of the first of several, such as fnn of fnn,fnn/perceptron; "" for none."""
    return (model or "").partition(",")[0].partition("/")[0]


def _detect_folder(folder: Path) -> str:
    """The data set of most of the files in a folder."""
    files = list(islice(walk_files(folder, []), N_FILES))
    kinds = Counter(kind for file in files if (kind := _kind_of_file(os.path.relpath(file, folder))))
    if not kinds:
        others = ", ".join(sorted({suffix(file) or os.path.basename(file) for file in files})[:5]) or "nothing"
        raise UserError(f"a training takes {TAKEN}; the folder {folder} holds {others}")
    return kinds.most_common(1)[0][0]


def _kind_of_file(name: str) -> str | None:
    """The data set of a file by its path in a folder; None for one that no folder of data holds."""
    if is_image_name(name):
        return "imagefolder"
    if suffix(name) in SOUNDS:
        return "sequences"
    return {True: "texts", False: "text"}[os.sep in name] if suffix(name) == ".txt" else None


# -- tables


def _detect_table(path: Path, table: pa.Table, family: str, targets: Sequence[str]) -> str:
    targets = match_headings(targets, table.column_names)
    for name in targets:
        if name not in table.column_names:
            raise unknown_name(f"column in {path}", name, table.column_names)
    label = next(iter(targets), None) or named_column(table, None, "target", False)
    if _names_images(table):
        return "imagefolder"
    if family == "fnn":
        return "csv"
    if _holds_texts(table, label):
        return "texts"
    if family == "" and targets:
        return "csv"
    if family == "cnn" or (_holds_sequences(path, table, label) and (family or label)):
        return "sequences"
    times, others = find_times(table, [], str)
    if family == "rnn" and all(times and is_number(to_array(table[name]).type) for name in targets):
        return "series"
    if family == "rnn":
        return "sequences"
    if times and _is_series(table, times, others):
        return "series"
    raise _without_target(path, table, is_timed=bool(times))


def _without_target(path: Path, table: pa.Table, is_timed: bool) -> UserError:
    if is_text_file(path) and is_headerless(path):
        return UserError(f"a table begins with its headings; {path} begins with values: write headings above them\n"
                         f"if each row is a sequence: zoo train rnn {path.name}")  # fmt: skip
    names = ", ".join(table.column_names[:12]) + ", ..." * (table.num_columns > 12)
    forecast = f"\nto forecast it as a series: zoo train rnn {path.name}" * is_timed
    return UserError(
        f"say which column of {path} to predict, such as zoo train {path.name} {table.column_names[-1]}; it has {names}"
        + forecast
    )


def _is_series(table: pa.Table, times: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a table is plainly a series, or several: numbers at mostly regular times, perhaps beside ids."""
    taken = [*times, *others]
    rest = {name: to_array(table[name]) for name in table.column_names if name not in taken}
    varied = [name for name, column in rest.items() if pc.count_distinct(column).as_py() > 1]  # else an id, as yet
    texts = [name for name in varied if not is_number(rest[name].type)]
    try:
        with contextlib.redirect_stdout(None):  # the reader of the series says how it reads dates
            index = read_times(table, times, str).values
    except UserError:
        return not texts  # the reader of the series says what is wrong
    found = find_ids(table, taken, index) if index.has_duplicates else None
    ids = found[0] if found else []
    codes = series_ids(table, ids, str)[0] if ids else np.zeros(len(table), int)
    return set(texts) <= set(ids) and _is_regular(index.to_numpy().astype(float), codes)


def _is_regular(times: np.ndarray, codes: np.ndarray) -> bool:
    """Whether most steps between the times of each code are about as long as the median step."""
    order = np.lexsort((times, codes))
    steps = np.diff(times[order])[np.diff(codes[order]) == 0]
    if not len(steps) or (typical := np.median(steps)) <= 0:
        return False
    return bool((np.abs(steps - typical) <= IRREGULAR * typical).mean() >= REGULAR)


def _names_images(table: pa.Table) -> bool:
    """Whether most values of a column are names of image files."""
    columns = [as_text(column).drop_null().to_pylist() for column in _texts(table).values()]
    return any(2 * sum(map(is_image_name, column)) > len(column) for column in columns)


def _texts(table: pa.Table) -> dict[str, pa.Array]:
    columns = {name: to_array(table[name]) for name in table.column_names}
    return {name: column for name, column in columns.items() if is_text(column.type)}


def _holds_texts(table: pa.Table, label: str | None) -> bool:
    """Whether most characters beside the label are those of a column of many different texts."""
    names = [name for name in table.column_names if name != label]
    if label is None and len(names) == 2:
        names = [max(names, key=lambda name: pc.count_distinct(to_array(table[name])).as_py())]
    elif label is None:
        return False
    times, others = find_times(table.select(names), [], str)
    texts = [name for name in _texts(table.select(names)) if name not in (*times, *others)]
    varied = [name for name in texts if pc.count_distinct(to_array(table[name])).as_py() > FEW]
    lengths = {name: pc.sum(pc.utf8_length(as_text(to_array(table[name])))).as_py() or 0 for name in names}
    return any(lengths[name] >= MOST * sum(lengths.values()) for name in varied)


def _holds_sequences(path: Path, table: pa.Table, label: str | None) -> bool:
    """Whether rows share the id of a sequence, with a label beside it; or most columns are numbered steps of one."""
    if is_text_file(path) and is_headerless(path):
        return True
    id = named_column(table, None, "id", False)
    if id and label and 2 * pc.count_distinct(to_array(table[id])).as_py() <= len(table):
        return True
    names = [name for name in table.column_names if name not in (id, label)]
    return bool(label) and sum(map(len, step_columns(names).values())) >= MOST * len(names) > 0
