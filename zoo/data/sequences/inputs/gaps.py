"""Filling missing values (NaN): from both sides within a whole sequence, from the past alone before a forecast."""

import numpy as np


def interpolate_gaps(values: np.ndarray) -> np.ndarray:
    """Interpolate NaN in values (time, n_channels) within each channel; the ends take the nearest value.

    A channel without any value stays NaN.
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    values, steps = values.copy(), np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(0) & ~gaps.all(0)):
        gap = gaps[:, channel]
        values[gap, channel] = np.interp(steps[gap], steps[~gap], values[~gap, channel])
    return values


def carry_forward(values: np.ndarray) -> np.ndarray:
    """Replace NaN in values (time, n_channels) with the last value before it in its channel.

    NaN before a channel's first value stays, which a model reads as the mean of the training split.
    """
    steps = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, steps), axis=0)
    return np.take_along_axis(values, last, axis=0)
