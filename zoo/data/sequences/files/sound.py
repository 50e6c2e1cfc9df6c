"""Sound files, and their log-mel spectrograms, computed in torch."""

import functools
import io
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.data.memory_limits import check_memory

RATES = (1_000, 1_000_000)  # Hz
FLOOR = 1e-6  # of the power in a band, below the quantisation of 16-bit sound


def check_sound(*, n_mels: int, window: float, hop: float) -> None:
    """Raise UserError unless there is a band, and the windows miss no sample."""
    if n_mels < 1 or not 0 < hop <= window:
        raise UserError(
            "a spectrogram has bands, and windows that touch: data.n_mels >= 1 and 0 < data.hop <= data.window; got "
            f"{n_mels}, {hop} and {window}"
        )


def band_names(n_mels: int) -> list[str]:
    """Names of the channels of a spectrogram, from low to high."""
    return [f"band {number}" for number in range(1, n_mels + 1)]


def log_mel(samples: np.ndarray, *, rate: int, n_mels: int, window: float, hop: float) -> Tensor:
    """Compute the log-mel spectrogram (n_frames, n_mels) of a recording, with Hann windows.

    Args:
        samples: (n_samples,), -1 to 1.
        rate: samples a second.
        n_mels: bands, equally wide on the mel scale, from 0 to rate / 2.
        window: milliseconds that a frame covers.
        hop: milliseconds from one frame to the next.
    """
    n_window, n_hop = (max(1, round(rate * length / 1000)) for length in (window, hop))
    n_fft = 2 ** math.ceil(math.log2(2 * n_window))
    spectrum = torch.stft(
        torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)),
        n_fft,
        n_hop,
        n_window,
        torch.hann_window(n_window),
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.abs().square()  # (n_fft / 2 + 1, n_frames)
    return (mel_filters(rate, n_fft, n_mels) @ power).clamp(min=FLOOR).log().T.contiguous()


@functools.cache
def mel_filters(rate: int, n_fft: int, n_mels: int) -> Tensor:
    """Triangular filters (n_mels, n_fft / 2 + 1) over the frequencies of a Fourier transform, each of height 1.

    Band k rises from the middle of band k - 1 and falls to that of band k + 1; the middles are evenly spaced on the mel
    scale, 2595 log10(1 + f / 700) for f in Hz (D. O'Shaughnessy, "Speech communication", 1987).
    """
    edges = 700 * (10 ** (torch.linspace(0, math.log10(1 + rate / 1400), n_mels + 2)) - 1)  # Hz
    frequencies = torch.linspace(0, rate / 2, n_fft // 2 + 1)
    rise = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    filters = torch.minimum(rise, fall).clamp(min=0)
    if not filters.any(1).all():
        raise UserError(f"data.n_mels={n_mels} bands are more than {n_fft // 2} frequencies can fill; lower it")
    return filters


def read_sound(file: Path | bytes, rate: int | None, name: str) -> tuple[np.ndarray, int]:
    """Read a recording as samples (n_samples,), -1 to 1, and their rate: `rate`, or the file's own if None.

    Channels are averaged, and another rate is resampled.

    Raises:
        UserError: for a file called `name` that is damaged or empty.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(file) if isinstance(file, bytes) else file) as sound:
            check_memory(4 * sound.frames * sound.channels, name)
            samples, found = sound.read(dtype="float32"), sound.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        raise UserError(f"{name} is not a sound file that can be read ({error}); put a whole one there") from error
    if not len(samples) or not np.isfinite(samples).all():
        raise UserError(f"a recording has at least one sample, and finite ones; {name} has not: put another one there")
    if not RATES[0] <= found <= RATES[1]:
        raise UserError(f"a recording has {RATES[0]:,} to {RATES[1]:,} samples a second; {name} has {found:,}")
    samples = samples.mean(1) if samples.ndim == 2 else samples
    return (_resampled(samples, found, rate), rate) if rate and rate != found else (samples, found)


def _resampled(samples: np.ndarray, old: int, new: int) -> np.ndarray:
    from scipy.signal import resample_poly

    divisor = math.gcd(old, new)
    return resample_poly(samples, new // divisor, old // divisor)
