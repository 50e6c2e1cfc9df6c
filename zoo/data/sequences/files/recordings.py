"""Recordings in files of their own, and what else lies in a folder for each class."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from zoo.core.atomic_files import sha256_of
from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.folders import list_files, list_folders, report_other_files, suffix
from zoo.data.sequences.files.samples import Sequences
from zoo.data.sequences.files.sound import SUFFIXES, band_names, log_mel, read_sound

T = TypeVar("T")


def read_recordings(path: Path, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    """One recording, or those of a folder, as log-mel spectrograms; a class is a folder in it. The rate is that of the
    first recording unless `reading` has one."""
    files = sorted_files(path, SUFFIXES, "recordings", labelled) if path.is_dir() else {path.name: path}
    if "n_mels" not in reading:
        raise UserError(f"this model has not learnt from recordings, and cannot take {path}; give arrays or a table")
    options = {name: reading[name] for name in ("n_mels", "window", "hop")}
    rate = reading.get("rate")

    def spectrogram(file: Path) -> np.ndarray:
        nonlocal rate
        samples, rate = read_sound(file, rate, str(file))
        return log_mel(samples, rate=rate, **options).numpy()

    values = read_each(files, spectrogram, "recordings", labelled)
    labels = pa.array([Path(name).parts[0] for name in values]) if labelled else None
    bands, found = band_names(reading["n_mels"]), {**options, "rate": rate}
    # a spectrogram's last bits differ from machine to machine, a file's do not
    keys = np.array([int(sha256_of(files[name])[:16], 16) for name in values], np.uint64)
    return Sequences(list(values.values()), labels, list(values), bands, "classification", found, keys)


def read_each(files: Mapping[str, Path], read: Callable[[Path], T], kind: str, labelled: bool) -> dict[str, T]:
    """What each file holds, by its name. Of labelled ones, those that cannot be read are left out and named.

    Args:
        files: by name.
        read: raises UserError for a file that is damaged.
        kind: what they are called in a message, such as "recordings".
        labelled: whether others may be left out.
    """
    found: dict[str, T] = {}
    damaged = []
    for name, file in files.items():
        try:
            found[name] = read(file)
        except UserError as error:
            damaged.append(error)
    if damaged and not (labelled and found):
        raise damaged[0]
    if damaged:
        echo(f"left out: {len(damaged)} of {len(files)} {kind}", *damaged[:5], sep="\n  ")
    return found


def sorted_files(folder: Path, endings: Collection[str], kind: str, labelled: bool) -> dict[str, Path]:
    """The files of a kind in a folder by their names in it; if labelled, in a folder for each class. Others are said.

    Args:
        folder: of the files.
        endings: of the files, in small letters, the commonest first.
        kind: what they are called in a message, such as "recordings".
        labelled: whether each must lie in a folder, which is its class.
    """
    found = {str(file.relative_to(folder)): file for file in list_files(folder)}
    files = {name: file for name, file in found.items() if suffix(name) in endings}
    first = " or ".join(list(endings)[:2])
    if not files:
        others = ", ".join(sorted({suffix(name) or name for name in found})[:5]) or "nothing"
        raise UserError(f"a folder of {kind} has files such as {first}; there are none in {folder}, but {others}\n"
                        f"what is read: {', '.join(endings)}; convert others to one of them")  # fmt: skip
    loose = [name for name in files if len(Path(name).parts) < 2]
    if labelled and loose:
        place = f"{folder}/<class>/1{next(iter(endings))}"
        raise UserError(f"{kind} lie in a folder for each class, {place}; {loose[0]} lies in none")
    report_other_files(found.keys() - files.keys(), f"{kind}, such as {first}")
    bare = set(list_folders(folder)) - {Path(name).parts[0] for name in files}
    if labelled and bare:
        echo(f"no class, as there are no {kind} in it: {', '.join(sorted(bare)[:5])}")
    return files
