"""Series in the order of time with regular steps: rows are sorted, and missing steps filled in as rows of NaN."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.core.console import echo

GROWTH = 2.0  # at most so many rows, filled gaps included, for each row of the file; else gaps are not filled
CALENDAR = {
    "B": "a working day",
    "MS": "a month",
    "ME": "a month",
    "QS": "a quarter",
    "QE": "a quarter",
    "YS": "a year",
    "YE": "a year",
}


def regular_series(frames: Sequence[pd.DataFrame], path: Path) -> list[pd.DataFrame]:
    """Sort each series by the times in its index and fill in missing steps; what was done is reported once for all."""
    results = [_regular(frame) for frame in frames]
    notes: dict[str, list[str]] = {}
    for _, remarks in results:
        for topic, remark in remarks.items():
            notes.setdefault(topic, []).append(remark)
    for first, *others in notes.values():
        echo(f"{path}: {first}" + f"; similar in {len(others):,} more series" * bool(others))
    return [frame for frame, _ in results]


def _regular(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """One series, and remarks on its "order" and its "steps"."""
    remarks = {}
    if not frame.index.is_monotonic_increasing:
        falling = frame.index.is_monotonic_decreasing
        remarks["order"] = "the latest rows come first, and are reversed" if falling else "rows are sorted by time"
        frame = frame.sort_index()
    if len(frame) < 3 or _is_regular(frame.index):
        return frame, remarks
    steps = np.diff(frame.index.to_numpy())
    step = np.median(steps.astype("timedelta64[ns]") if isinstance(frame.index, pd.DatetimeIndex) else steps)
    grid, step_name = _grid(frame.index, step)
    if grid is None:
        odd = steps != step
        remarks["steps"] = (
            f"steps are irregular; their median is {step_name}, but {odd.sum():,} of {len(steps):,} differ, the first "
            f"after {frame.index[odd.argmax()]}; rows are taken as they follow each other"
        )
        return frame, remarks
    missing = ~grid.isin(frame.index)
    gaps = np.flatnonzero(np.diff(missing.astype(int)) == 1)
    n_missing, are_in = int(missing.sum()), f"in {len(gaps):,} gap{'s' * (len(gaps) > 1)}, the first"
    lack = "1 is missing," if n_missing == 1 else f"{n_missing:,} are missing {are_in}"
    remarks["steps"] = f"steps are of {step_name}; {lack} after {grid[gaps[0]]}"
    return frame.reindex(grid), remarks


def _is_regular(times: pd.Index) -> bool:
    if isinstance(times, pd.DatetimeIndex):
        return bool(pd.infer_freq(times))
    steps = np.diff(times.to_numpy())
    return bool(np.ptp(steps) <= 1e-6 * np.median(steps))


def _grid(times: pd.Index, step: Any) -> tuple[pd.Index | None, str]:
    """The shortest regular grid, of `step` or of the calendar, that holds all `times`, and the name of its step.

    None where there is no such grid, or only one with too many gaps.
    """
    first, last, most = times[0], times[-1], GROWTH * len(times)
    are_dates = isinstance(times, pd.DatetimeIndex)
    step = pd.Timedelta(step) if are_dates else step
    step_name = str(step).removeprefix("0 days ").removesuffix(" 00:00:00") if are_dates else f"{step:g}"
    grids: list[tuple[pd.Index, str]] = []
    if (last - first) / step < most:
        grid = first + step * np.arange(round((last - first) / step) + 1)
        grids.append((pd.Index(grid if are_dates else _snap(grid, times.to_numpy(), step)), step_name))
    if are_dates:
        grids += [(pd.date_range(first, last, freq=freq), name) for freq, name in CALENDAR.items()]
    fitting = [(grid, name) for grid, name in grids if len(grid) <= most and times.isin(grid).all()]
    return min(fitting, key=lambda pair: len(pair[0]), default=(None, step_name))


def _snap(grid: np.ndarray, times: np.ndarray, step: float) -> np.ndarray:
    """A grid of numbers with the times in place of the points that they are close to: 0.3 is no multiple of 0.1."""
    places = np.rint((times - grid[0]) / step).astype(int)
    near = np.abs(times - grid[places]) < 1e-3 * step
    grid[places[near]] = times[near]
    return grid
