"""The season of a series, by its autocorrelation."""

import numpy as np

CLEAR = 0.4  # autocorrelation from which a series is seasonal
MULTIPLE = 0.05  # by which that of a multiple of a season may happen to be higher
SHORTEST = 6  # steps
WIDE = 1.25  # of a peak: its last lag by its first


def find_season(values: np.ndarray) -> int:
    """The lag at which values (n_steps, n_channels), less their linear trend, are most alike, of at most a third of the
    steps and beyond the first one at which they are unlike; 0 where they are not clearly. Missing values (NaN) count as
    the mean."""
    if len(values) < SHORTEST:
        return 0
    steps, n_measured = np.arange(len(values)), (~np.isnan(values)).sum(0)
    values = np.nan_to_num(values - np.nansum(values, axis=0) / np.maximum(n_measured, 1))
    values = values - np.polynomial.polynomial.polyval(steps, np.polynomial.polynomial.polyfit(steps, values, 1)).T
    alike = _autocorrelation(values)
    start = int((alike < 0).argmax())
    if not start or (highest := alike[start:].max()) < CLEAR:
        return 0
    first = start + int((alike[start:] > highest - MULTIPLE).argmax())
    return first + int(alike[first : int(WIDE * first) + 1].argmax())


def _autocorrelation(values: np.ndarray) -> np.ndarray:
    """The mean over the channels at each lag up to a third of the steps."""
    n = len(values)
    spectrum = np.fft.rfft(values, 2 * n, axis=0)  # padded, so that the end does not meet the start
    products = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: n // 3 + 1]  # (n_lags, n_channels)
    shares = np.arange(n, n - len(products), -1)[:, None] / n  # of the pairs
    return np.asarray((products / shares / np.maximum(products[0], np.finfo(float).tiny)).mean(1))
