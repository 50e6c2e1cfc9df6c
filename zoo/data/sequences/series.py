"""A user's time series to forecast: a table whose rows follow each other in time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.formatting import number_are
from zoo.core.spec import Column, DataSpec, float_type
from zoo.data import DATA, Facts
from zoo.data.columns.numbers import finite_range
from zoo.data.options import as_list
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.note_files import are_pitches
from zoo.data.sequences.files.samples import cell_options
from zoo.data.sequences.files.series_table import Series, read_series
from zoo.data.sequences.inputs.gaps import carry_forward
from zoo.data.sequences.inputs.known_ahead import KnownAhead, find_cycles, n_measured
from zoo.data.sequences.inputs.season import find_season
from zoo.data.sequences.splits.windows import Window, WindowSplit, series_splits
from zoo.data.splits import Split, Splits

MOST_LOOK_BACK = 720

FACTS = Facts(
    task="forecasting",
    rows="70 / 10 / 20 % of the steps",
    inputs="series of any channels, from a table",
    licence="yours",
    source="yours",
    model="rnn/segrnn",
)


@DATA.register("series")
def series(
    *,
    path: str | None = None,
    columns: Sequence[str] | None = None,
    known: Sequence[str] | None = None,
    calendar: bool = False,
    time: str | Sequence[str] | None = None,
    series_id: str | Sequence[str] | None = None,
    only: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    not_missing: Sequence[str] | None = None,
    encoding: str | None = None,
    look_back: int | str = "auto",
    horizon: int | str = "auto",
    val_share: float = 0.1,
    test_share: float = 0.2,
) -> Splits:
    """Load windows of a table's columns, split by time; the last steps of each series are the test split.

    Args:
        path: of the table.
        columns: to forecast; None takes all numbers that are not `known`.
        known: columns known ahead, such as promotions: inputs over the horizon too, which are not forecast.
        calendar: whether the model reads where each step lies in the day, the week and the year.
        time: the column of dates or numbers that orders the rows, or several, such as [Date,Time]; None finds it, or
            keeps the order of the rows.
        series_id: the column of ids where the table holds several series, or several such columns.
        only: ids of the series to take; None takes all.
        missing: marks of missing values, in addition to defaults such as the empty cell, NA, ? and -.
        not_missing: default marks that are values in columns of text, such as an id NA.
        encoding: of a file that is not UTF-8, such as shift_jis or cp1251; None is Windows-1252.
        look_back: steps to forecast from; "auto" is 96, or a season and the horizon if that is more, but at most a
            third of the training steps.
        horizon: steps to forecast; "auto" is 24, or half of the validation or test steps if those are fewer.
        val_share: share of the steps.
        test_share: share of the steps.
    """
    if path is None:
        raise UserError("say which table: data=series data.path=power.csv")
    check_shares(val_share, test_share)
    cells = cell_options(missing, not_missing, encoding)
    reading = {"date_column": time, "series_id": series_id, "known": known, "only": only, **cells}
    table = read_series(Path(path).expanduser(), reading, None if columns is None else as_list(columns))
    names, frames = table.channels, _measured_part(table)
    series = [frame[names].to_numpy(np.float64) for frame in frames]
    if not table.reading.get("date_column") and all(map(are_pitches, series)):
        echo(f"{Path(path).name}: are these pitches, as MIDI numbers? Notes are continued by data=notes")
    shares = (1 - val_share - test_share, 1 - test_share, 1)
    ends = [[round(len(values) * share) for share in shares] for values in series]
    _check_measured(path, series, ends)
    train = np.concatenate([values[: end[0]] for values, end in zip(series, ends, strict=True)])
    _check_constant(names, train)
    ranges = [finite_range(column) for column in train.T]
    window = choose_window(series, ends, look_back, horizon)
    ahead = KnownAhead(table.known, _cycles(frames, ends) if calendar else {})
    splits = series_splits(
        Path(path).name.split(".")[0],
        [torch.from_numpy(values.astype(float_type(*ranges))) for values in series],
        [Column(name, range=limits) for name, limits in zip(names, ranges, strict=True)],
        ends,
        window,
        reading=table.reading | ahead.reading | cells,
        known=_known_tensors(path, ahead, frames) if ahead else None,
        licence=FACTS.licence,
        source=Path(path).name,
    )
    sizes = " / ".join(f"{len(split):,}" for split in (splits.train, splits.val, splits.test))  # type: ignore[arg-type]
    echo(f"{Path(path).name}: {sizes} windows to train, validate and test")
    _report_left_out(path, ends, window, splits)
    return splits


def _measured_part(table: Series) -> list[pd.DataFrame]:
    """The series without the rows at their ends that hold columns known ahead alone."""
    if not table.known:
        return table.frames
    return [frame.iloc[: n_measured(frame, table.channels)] for frame in table.frames]


def _cycles(frames: Sequence[pd.DataFrame], ends: Sequence[Sequence[int]]) -> dict[str, int]:
    """The cycles of the calendar in the training steps of the longest series, which are reported."""
    frame, (end, *_) = max(zip(frames, ends, strict=True), key=lambda pair: len(pair[0]))
    cycles = find_cycles(frame.index[:end])
    found = f"the {' and the '.join(cycles)}" if cycles else "no cycle that training saw twice; data.calendar is unused"
    echo(f"of the calendar: {found}")
    return cycles


def choose_window(
    series: Sequence[np.ndarray], ends: Sequence[Sequence[int]], look_back: int | str, horizon: int | str
) -> Window:
    """Resolve "auto" by a series (n_steps, n_channels), and where train, val and test end in it; of several, the one of
    median length counts."""
    given = look_back, horizon
    middle = sorted(range(len(ends)), key=lambda number: ends[number][-1])[len(ends) // 2]
    train, val, test = np.diff([0, *ends[middle]]).tolist()
    n_ahead = min(24, max(min(val, test) // 2, 1)) if horizon == "auto" else int(horizon)
    if look_back == "auto":
        season = find_season(series[middle][:train])
        look_back = min(max(96, season + n_ahead if season else 0), MOST_LOOK_BACK, max(train // 3, 1))
    chosen = Window(int(look_back), n_ahead)
    if "auto" in given:
        echo(f"looks back on {chosen.look_back} steps to forecast {chosen.horizon}: data.look_back, data.horizon")
    return chosen


@LABELLED_READERS.register("series")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read every window of another file, to measure a model with `spec` on."""
    if "date_column" not in spec.reading:
        raise UserError(f"data=series has series to forecast; this model does {spec.task}")
    if data["path"] is None:
        raise UserError("say which table to measure on: data=series data.path=<file>")
    options = {"date_column": data.get("time"), **{name: data.get(name) for name in ("series_id", "only", "encoding")}}
    reading = {**spec.reading, **{name: value for name, value in options.items() if value is not None}}
    path, sequence = Path(data["path"]).expanduser(), spec.inputs["sequence"]
    window = Window(sequence.shape[0] or 0, spec.target.shape[0] or 0)
    frames = _measured_part(read_series(path, reading, spec.column_names, new=True))
    longest = max(map(len, frames))
    if longest < sum(window):
        raise UserError(
            f"the model looks back on {window.look_back} steps and forecasts {window.horizon}; {path} has {longest}: "
            "give a longer file"
        )
    series = [frame[spec.column_names].to_numpy(np.float64) for frame in frames]
    _report_missing(str(path), series)
    ahead = KnownAhead.of(spec.reading)
    known = _known_tensors(path, ahead, frames, spec.inputs["known"].dtype) if ahead else None
    measured, filled = (
        [torch.from_numpy(values.astype(sequence.dtype)) for values in each]
        for each in (series, map(carry_forward, series))
    )
    split = WindowSplit(measured, window, filled, known)
    if not len(split):
        raise UserError(f"{path} has no measured value to forecast; give more")
    echo(f"{path}: all {len(split):,} windows")
    return split


def _known_tensors(
    path: str | Path, ahead: KnownAhead, frames: Sequence[pd.DataFrame], dtype: str | None = None
) -> list[torch.Tensor]:
    """What is known ahead of each series, (n_steps, n_known); `dtype` None is one that tells its values apart."""
    missing = pd.concat([frame[ahead.columns].isna() for frame in frames])
    if empty := [name for name in ahead.columns if missing[name].all()]:
        raise UserError(f"{path}: column '{empty[0]}' has no value at all; fill it in, or leave it out of data.known")
    if n_missing := int(missing.to_numpy().sum()):
        echo(
            f"{path}: in what is known ahead, {number_are(n_missing, 'missing value')} filled with the last one before"
        )
    values = [ahead.values(frame) for frame in frames]
    dtype = dtype or float_type(*map(finite_range, np.concatenate(values).T))
    return [torch.from_numpy(one.astype(dtype)) for one in values]


def _report_missing(path: str, series: Sequence[np.ndarray]) -> None:
    if n_missing := sum(int(np.isnan(values).sum()) for values in series):
        echo(
            f"{path}: {number_are(n_missing, 'missing value')} filled with the last value before, and no target: "
            "errors are those of measured values alone"
        )


def _check_measured(path: str, series: Sequence[np.ndarray], ends: Sequence[Sequence[int]]) -> None:
    """Report how many values are missing; UserError where a column has none in a split."""
    gaps = [np.isnan(values) for values in series]
    splits = zip(*(np.split(mask, end[:-1]) for mask, end in zip(gaps, ends, strict=True)), strict=True)
    if any(len(rows := np.concatenate(parts)) and rows.all(0).any() for parts in splits):
        raise UserError(f"{path}: a column has no value at all in a split; leave it out with data.columns=[...]")
    _report_missing(path, series)


def _check_constant(columns: Sequence[str], values: np.ndarray) -> None:
    """Report the columns whose `values` (n_steps, n_columns) in the training split are constant; UserError if all
    are."""
    lows, highs = np.nanmin(values, 0), np.nanmax(values, 0)
    constant = [name for name, low, high in zip(columns, lows, highs, strict=True) if low == high]
    if len(constant) == len(columns):
        raise UserError(f"there is nothing to learn: the training split has one value only, in {', '.join(constant)}")
    if constant:
        echo(f"one value only in the training split: {', '.join(constant)}; data.columns=[...] selects others")


def _report_left_out(path: str, ends: Sequence[Sequence[int]], window: Window, splits: Splits) -> None:
    """Report how many series have no window in a split, and how many windows have nothing to forecast."""
    n_steps = np.diff(np.array(ends), axis=1, prepend=0)  # (n_series, 3)
    n_steps += np.minimum(window.look_back, [[0, end[0], end[1]] for end in ends])  # of the split before
    n_windows = np.maximum(n_steps - sum(window) + 1, 0)
    n_short = int((n_windows == 0).any(1).sum())
    if n_short:
        echo(f"{path}: {n_short:,} of {len(ends):,} series are too short for a window in each split")
    n_left_out = int(n_windows.sum()) - sum(map(len, (splits.train, splits.val, splits.test)))  # type: ignore[arg-type]
    if n_left_out:
        echo(f"{path}: {number_are(n_left_out, 'window')} left out, as nothing to forecast was measured")
