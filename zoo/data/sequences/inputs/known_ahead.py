"""What is known ahead of a series to forecast: columns such as promotions, and the calendar of its dates.

The calendar is Fourier terms, as in S. J. Taylor, B. Letham, "Forecasting at scale" (PeerJ Preprints 5:e3190, section
3.2): sines and cosines of where a step lies in the day, the week and the year. Deviation: a cycle counts only where it
has from two to a thousand steps and training saw it twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from zoo.core.errors import UserError
from zoo.data.sequences.inputs.gaps import carry_forward

DAY = pd.Timedelta(days=1)
CYCLES = {"day": (DAY, 4), "week": (7 * DAY, 3), "year": (365.25 * DAY, 3)}  # with how many sines and cosines at most
MOST_STEPS = 1100  # of a cycle
TIMES_SEEN = 2


@dataclass(frozen=True)
class KnownAhead:
    """What is known of each step of a series, over the horizon too.

    Attributes:
        columns: of the table.
        calendar: the cycles of the calendar, each with its number of sines and of cosines.
    """

    columns: list[str] = field(default_factory=list)
    calendar: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: Mapping[str, Any]) -> "KnownAhead":
        """What the options of a spec's `reading` say; files of older versions say nothing."""
        return cls(list(reading.get("known", ())), reading.get("calendar", {}))

    @property
    def reading(self) -> dict[str, Any]:
        """The options from which `of` makes it again."""
        return {"known": self.columns} | ({"calendar": dict(self.calendar)} if self.calendar else {}) if self else {}

    def __bool__(self) -> bool:
        return bool(self.columns or self.calendar)

    def values(self, frame: pd.DataFrame) -> np.ndarray:
        """What is known of the steps of a series, (n_steps, n_known): its columns, gaps filled with the last value
        before, and the calendar of the dates in its index."""
        if self.calendar and not isinstance(frame.index, pd.DatetimeIndex):
            raise UserError("the model reads the calendar: give the dates of the series, as in the training file")
        columns = carry_forward(frame[self.columns].to_numpy(np.float64))
        return np.concatenate([columns, *(_terms(frame.index, *cycle) for cycle in self.calendar.items())], axis=1)


def find_cycles(times: pd.Index) -> dict[str, int]:
    """The cycles of the calendar that can matter to steps at such times, each with its number of sines and cosines.

    Raises:
        UserError: for times that are no dates.
    """
    if not isinstance(times, pd.DatetimeIndex):
        raise UserError("data.calendar=true reads dates, and here is no column of them; name one: data.time=")
    if len(times) < 2:
        return {}
    step = pd.Series(times).diff().median()
    found = {}
    for name, (length, most) in CYCLES.items():
        n_steps = round(length / step)
        if 2 <= n_steps <= MOST_STEPS and times[-1] - times[0] >= TIMES_SEEN * length:
            found[name] = min(most, n_steps // 2)
    return found


def _terms(times: pd.Index, cycle: str, n: int) -> np.ndarray:
    """The first `n` sines and cosines of a cycle, (n_steps, 2 n)."""
    assert isinstance(times, pd.DatetimeIndex)
    phase = 2 * np.pi * _place(times, cycle)[:, None] * np.arange(1, n + 1)
    return np.concatenate([np.sin(phase), np.cos(phase)], axis=1)


def _place(times: pd.DatetimeIndex, cycle: str) -> np.ndarray:
    """Where times lie in a cycle, from 0 to 1, (n_steps,)."""
    in_day = np.asarray((times - times.normalize()) / DAY)
    if cycle == "day":
        return in_day
    if cycle == "week":
        return (np.asarray(times.dayofweek) + in_day) / 7
    return (np.asarray(times.dayofyear) - 1 + in_day) / np.where(times.is_leap_year, 366, 365)


def n_measured(frame: pd.DataFrame, channels: list[str]) -> int:
    """The steps of a series up to the last one with a value to forecast; those after it are known ahead alone."""
    measured = np.flatnonzero(frame[channels].notna().any(axis=1))
    return int(measured[-1]) + 1 if len(measured) else 0
