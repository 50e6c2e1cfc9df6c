"""Missing values (NaN) filled in: within a whole sequence from both sides, before a forecast from the past alone."""

import numpy as np


def fill_gaps(values: np.ndarray) -> np.ndarray:
    """Values (time, n_channels) with NaN interpolated in each channel that has others; the ends take the nearest."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    values, steps = values.copy(), np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(0) & ~gaps.all(0)):
        gap = gaps[:, channel]
        values[gap, channel] = np.interp(steps[gap], steps[~gap], values[~gap, channel])
    return values


def carry_forward(values: np.ndarray) -> np.ndarray:
    """Values (time, n_channels) with NaN as the last value before it in its channel. What comes before the first stays
    NaN, which a model reads as the mean of the training split."""
    steps = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, steps), axis=0)
    return np.take_along_axis(values, last, axis=0)
