"""The season of a series, by the autocorrelation of its steps."""

import numpy as np

CLEAR = 0.3  # autocorrelation from which a series is seasonal
MULTIPLE = 0.05  # by which that of a multiple of a season may happen to be higher


def find_season(values: np.ndarray) -> int:
    """The lag at which the changes of values (n_steps, n_channels) are most alike, of at most a third of the steps; 0
    where they are not clearly. Missing values (NaN) count as no change."""
    changes = np.nan_to_num(np.diff(values, axis=0))
    changes -= changes.mean(0)
    n = len(changes)
    spectrum = np.fft.rfft(changes, 2 * n, axis=0)  # padded, so that the end does not meet the start
    products = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: n // 3 + 2]  # (n_lags, n_channels)
    n_pairs = np.arange(n, n - len(products), -1)[:, None]
    alike = (products / n_pairs * n / np.maximum(products[0], np.finfo(float).tiny)).mean(1)
    peaks = 1 + np.flatnonzero((alike[1:-1] > alike[:-2]) & (alike[1:-1] > alike[2:]))
    peaks = peaks[peaks > 1]
    highest = alike[peaks].max(initial=0.0)
    return int(peaks[alike[peaks] > highest - MULTIPLE].min()) if highest > CLEAR else 0
