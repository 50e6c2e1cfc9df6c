"""Tables with a sequence in each row: numbered columns are its steps."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_missing, is_text, to_array
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.dates import as_dates, matching_date_formats
from zoo.data.columns.numbers import as_numbers, require_numbers
from zoo.data.sequences.files.headerless import label_column
from zoo.data.sequences.files.samples import Samples, list_columns, strip_padding
from zoo.data.sequences.files.step_table import named_column

FEWEST = 3  # numbered columns that are the steps of a sequence


@dataclass(frozen=True)
class _Columns:
    """The columns of a table of rows by their roles; `id` and `label` are None where there are none.

    Attributes:
        id: names each sequence.
        label: of each sequence.
        steps: of each channel, in order; one channel without a name is "".
        others: left out.
    """

    id: str | None
    label: str | None
    steps: dict[str, list[str]]
    others: list[str]

    @property
    def cells(self) -> list[str]:
        """The columns of steps of all channels."""
        return [name for columns in self.steps.values() for name in columns]


def read_rows(path: Path, table: pa.Table, place: Place, reading: Mapping[str, Any], labelled: bool) -> Samples:
    """Read the sequences of a table with one in each row.

    `reading` may name the columns `id` and `target`; `headings` false is a table without a header.
    """
    columns = _find_columns(path, table, reading, labelled)
    values = _values(path, table, place, columns.steps)
    labels = None
    if labelled:
        labels = _numeric_labels(to_array(table[columns.label]))
        _report_columns(path, values.shape, columns)
    options = {"id": columns.id, "target": columns.label, "headings": reading.get("headings")}
    return Samples(
        strip_padding(list(values), path.name),
        labels,
        [f"id {name}" for name in to_array(table[columns.id]).to_pylist()]
        if columns.id
        else list(map(place, range(len(values)))),
        list(columns.steps) if len(columns.steps) > 1 else ["channel 1"],
        reading={
            "layout": "wide",
            "n_columns": len(columns.cells),
            **{name: value for name, value in options.items() if value is not None},
        },
    )


def step_columns(names: Sequence[str]) -> dict[str, list[str]]:
    """Group headings that are numbered or dated by the channel that they name, in order; none where there are few."""
    numbers = as_numbers(pa.array(names, pa.string()))
    if np.isfinite(numbers).sum() >= FEWEST:
        return {"": [names[k] for k in np.argsort(numbers, kind="stable") if np.isfinite(numbers[k])]}
    numbered = [name for name in names if re.search("[0-9]", name)]
    dates = pa.array(numbered, pa.string())
    if len(numbered) >= FEWEST and (forms := matching_date_formats(dates)):
        return {"": [numbered[k] for k in np.argsort(as_dates(dates, forms[0]), kind="stable")]}
    groups: dict[str, list[tuple[float, str]]] = {}
    for name in numbered:
        number = re.findall(r"[0-9]+(?:\.[0-9]+)?", name)[-1]
        before, _, after = name.rpartition(number)
        groups.setdefault(f"{before}#{after}", []).append((float(number), name))
    large = {group: [name for _, name in sorted(steps)] for group, steps in groups.items() if len(steps) >= FEWEST}
    return {group.strip("#_-. []") or group: columns for group, columns in large.items()}


def _find_columns(path: Path, table: pa.Table, reading: Mapping[str, Any], labelled: bool) -> _Columns:
    headerless = reading.get("headings") is False
    id, label = (named_column(table, reading.get(role), role, labelled) for role in ("id", "target"))
    if headerless:
        label = label_column(table, reading, labelled)
    elif labelled and not label:
        label = _only_other_column(path, [name for name in table.column_names if name != id])
    names = [name for name in table.column_names if name not in (id, label)]
    steps = {} if headerless else step_columns(names)
    trained = reading.get("columns", []) if reading.get("layout") == "wide" else []
    if len(trained) > 1:
        steps = _as_trained(path, steps, trained)
    n_columns = reading.get("n_columns", len(names))
    if not (labelled or steps) and len(names) != n_columns:
        raise UserError(
            f"a row here has {n_columns:,} values, and perhaps a label; {path.name} has {table.num_columns:,} columns"
        )
    steps = steps or {"": names}
    cells = {name for columns in steps.values() for name in columns}
    return _Columns(id, label, steps, [name for name in names if name not in cells])


def _as_trained(path: Path, steps: Mapping[str, list[str]], trained: Sequence[str]) -> dict[str, list[str]]:
    """The columns of each channel, with the channels in the order of the training file."""
    for channel in trained:
        if channel not in steps:
            raise unknown_name(f"channel in {path.name}", channel, steps)
    return {channel: steps[channel] for channel in trained}


def _only_other_column(path: Path, names: Sequence[str]) -> str:
    """The only column that is not a step, which holds the labels whatever its name."""
    steps = {name for columns in step_columns(names).values() for name in columns}
    others = [name for name in names if name not in steps]
    if len(others) != 1:
        raise UserError(f"a table of sequences has a column of labels; say which it is of {path.name}'s: data.target= "
                        f"one of {', '.join(others[:8] or names[:8])}")  # fmt: skip
    return others[0]


def _values(path: Path, table: pa.Table, place: Place, steps: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The values (n, time, n_channels) in the columns of each channel."""
    if len(set(map(len, steps.values()))) > 1:
        counts = ", ".join(f"{name} {len(columns)}" for name, columns in steps.items())
        raise UserError(f"all channels of a sequence have as many columns; {path.name} has {counts}")
    fix = "correct them, or name the column of labels by data.target="

    def numbers(name: str) -> np.ndarray:
        return require_numbers(to_array(table[name]), f"column '{name}' holds values", place, fix)

    return np.stack([np.stack([numbers(name) for name in columns], axis=1) for columns in steps.values()], axis=2)


def _report_columns(path: Path, shape: tuple[int, ...], columns: _Columns) -> None:
    n, n_steps, n_channels = shape
    channels = f" and {n_channels} channels" if n_channels > 1 else ""
    more = f"; left out are the columns {list_columns(columns.others)}" if columns.others else ""
    cells = columns.cells
    echo(f"{path.name}: {n:,} rows are sequences of {n_steps:,} steps{channels}, '{cells[0]}' to '{cells[-1]}', target "
         f"'{columns.label}' (data.target){more}; data.layout=long if rows are steps")  # fmt: skip


def _numeric_labels(column: pa.Array) -> pa.Array:
    """Labels, with those written like 1.0e+00 as numbers."""
    numbers = as_numbers(column)
    written = is_text(column.type) and pc.any(pc.match_substring_regex(column, "[.eE]")).as_py()
    return pa.array(numbers) if written and not (np.isnan(numbers) & ~is_missing(column)).any() else column
