"""Recordings as sequences: a file each, in a folder for each class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.atomic_files import sha256_of
from zoo.core.errors import UserError
from zoo.data.sequences.files.class_folders import class_of, find_class_files, read_each
from zoo.data.sequences.files.samples import Samples
from zoo.data.sequences.files.sound import band_names, log_mel, read_sound
from zoo.data.sequences.files.suffixes import SOUNDS


def read_recordings(path: Path, reading: Mapping[str, Any], labelled: bool) -> Samples:
    """Read one recording, or those of a folder, as log-mel spectrograms; each class is a folder in it.

    All are brought to the rate in `reading`, or that of the first recording.
    """
    files = find_class_files(path, SOUNDS, "recordings", labelled) if path.is_dir() else {path.name: path}
    if "n_mels" not in reading:
        raise UserError(f"this model has not learnt from recordings, and cannot take {path}; give arrays or a table")
    options = {name: reading[name] for name in ("n_mels", "window", "hop")}
    rate = reading.get("rate")

    def spectrogram(file: Path) -> np.ndarray:
        nonlocal rate
        samples, rate = read_sound(file, rate, str(file))
        return log_mel(samples, rate=rate, **options).numpy()

    values = read_each(files, spectrogram, "recordings", labelled)
    return Samples(
        list(values.values()),
        pa.array([class_of(name) for name in values]) if labelled else None,
        list(values),
        band_names(reading["n_mels"]),
        "classification",
        {**options, "rate": rate},
        # hashes of the files: a spectrogram's last bits differ from machine to machine
        np.array([int(sha256_of(files[name])[:16], 16) for name in values], np.uint64),
    )
