"""The last steps of a file's series, to forecast from, and what is known ahead of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.formatting import number_are
from zoo.core.spec import DataSpec
from zoo.data.sequences.files.next_times import next_times, write_times
from zoo.data.sequences.files.series_table import Series, read_series
from zoo.data.sequences.inputs.gaps import carry_forward
from zoo.data.sequences.inputs.known_ahead import KnownAhead, n_measured
from zoo.data.splits import Batch, Names


@dataclass(frozen=True)
class LastWindows:
    """What the series of a file are forecast from.

    Attributes:
        values: the last steps of each, (look_back, n_channels), with gaps filled from the past.
        known: the input `known`, (n, look_back + horizon, n_known), if the model takes it.
        names: of the forecasts: the ids of the series, and the times of each by their heading, where the file has any.
        single: whether the file is one series.
    """

    values: list[np.ndarray]
    known: Batch
    names: Names
    single: bool


def last_windows(spec: DataSpec, path: Path) -> LastWindows:
    """Read what each series of a file is forecast from: its last steps, or those before the rows that hold nothing but
    what is known ahead.

    Raises:
        UserError: for series that are too short, and where what is known ahead is missing over the horizon.
    """
    series = read_series(path, {**spec.reading, "only": None}, spec.column_names, new=True)
    look_back, horizon = spec.inputs["sequence"].shape[0] or 0, spec.target.shape[0] or 0
    parts = [_split(frame, series, horizon) for frame in series.frames]
    long = [number for number, (past, _) in enumerate(parts) if len(past) >= look_back]
    if not long:
        longest = max(len(past) for past, _ in parts)
        raise UserError(f"the model looks back on {look_back} steps; {path} has {longest}: give a longer file")
    if n_short := len(parts) - len(long):
        echo(f"{path}: left out, with fewer than {look_back} steps: {n_short} series")
    parts, ids = [parts[number] for number in long], [series.ids[number] for number in long] if series.ids else []
    places = [f"series {'/'.join(one)} of {path}" for one in ids] or [str(path)]
    known = KnownAhead.of(spec.reading)
    ahead = [_horizon(rest, horizon, known, place) for (_, rest), place in zip(parts, places, strict=True)]
    names: dict[str, list[str | list[str]]] = {
        name: [one[place] for one in ids] for place, name in enumerate(series.reading.get("series_id", []))
    }
    if series.time is not None:
        names[series.time] = [write_times(one.index, series.time_form) or [""] * horizon for one in ahead]
    past = [frame for frame, _ in parts]
    values = fill_from_past([frame[series.channels].to_numpy(np.float64) for frame in past], look_back, path)
    return LastWindows(values, _known_input(spec, known, past, ahead) if known else {}, names, not ids)


def _split(frame: pd.DataFrame, series: Series, horizon: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The steps of a series that were measured, and those after them, which hold what is known ahead; without such
    columns all steps, and the times that follow."""
    if not series.known:
        return frame, pd.DataFrame(index=next_times(frame.index, horizon))
    end = n_measured(frame, series.channels)
    return frame.iloc[:end], frame[series.known].iloc[end:]


def _horizon(rest: pd.DataFrame, horizon: int, known: KnownAhead, place: str) -> pd.DataFrame:
    """The steps to forecast, of all that follow; UserError where the columns known ahead lack a row or a value."""
    if not known.columns:
        return rest
    if len(rest) < horizon:
        raise UserError(
            f"the model reads {', '.join(known.columns)} over the {horizon} steps to forecast, and {place} has "
            f"{len(rest)} rows for them\nadd {horizon - len(rest)} rows at the end, with these columns filled and the "
            "ones to forecast empty"
        )
    if len(rest) > horizon:
        echo(f"{place}: the model forecasts {horizon} steps, and the last {len(rest) - horizon} rows are not used")
    empty = rest[:horizon].isna()
    if empty.to_numpy().any():
        name = str(empty.any().idxmax())
        raise UserError(
            f"what is known ahead has a value for each of the {horizon} steps to forecast; '{name}' has none in step "
            f"{int(empty[name].to_numpy().argmax()) + 1} of {place}: fill it in"
        )
    return rest[:horizon]


def _known_input(
    spec: DataSpec, known: KnownAhead, past: Sequence[pd.DataFrame], ahead: Sequence[pd.DataFrame]
) -> Batch:
    """What is known ahead of each window and of the steps after it, as the model takes it."""
    an_input = spec.inputs["known"]
    whole = (pd.concat([before[known.columns], after]) for before, after in zip(past, ahead, strict=True))
    values = [known.values(frame)[-(an_input.shape[0] or 0) :].astype(an_input.dtype) for frame in whole]
    return {"known": torch.from_numpy(np.stack(values))}


def fill_from_past(series: Sequence[np.ndarray], look_back: int, path: Path | str) -> list[np.ndarray]:
    """The last windows of series with each gap filled with the last value before it, even one before the window."""
    windows = [carry_forward(values)[-look_back:] for values in series]
    n_gaps = sum(int(np.isnan(values[-look_back:]).sum()) for values in series)
    n_filled = n_gaps - sum(int(np.isnan(window).sum()) for window in windows)
    if n_filled:
        echo(f"{path}: {number_are(n_filled, 'missing value')} filled with the last value before")
    return windows
