"""Any file of sequences, by its format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError, missing_file
from zoo.data.registry import FORMATS
from zoo.data.sequences.files.arrays import read_arrays
from zoo.data.sequences.files.recordings import read_recordings
from zoo.data.sequences.files.samples import Samples
from zoo.data.sequences.files.sequence_table import read_sequence_table
from zoo.data.sequences.files.suffixes import ARRAYS, SOUNDS
from zoo.data.sequences.files.ts import read_ts
from zoo.data.sources.packed import UNPACK_ERRORS

PACKED = (".gz", ".xz", ".bz2", ".zip")


def file_suffixes() -> list[str]:
    """The suffixes of files of sequences, the preferred ones first; "" is also that of a table."""
    return [".ts", *ARRAYS, *FORMATS.names(), ""]


def read_file(path: Path, reading: Mapping[str, Any], *, labelled: bool) -> Samples:
    """Read the sequences of a file, or of a folder of recordings.

    Args:
        path: .npz, .npy, .ts, a table, a recording, or a folder of recordings, with a folder for each class if
            labelled.
        reading: options of the format; those of others are ignored.
        labelled: whether there must be a label for each sequence.
    """
    if not path.exists():
        raise missing_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    suffix = suffixes[-1] if suffixes else ""
    try:
        if path.is_dir() or suffix in SOUNDS:
            return read_recordings(path, reading, labelled)
        if suffix in ARRAYS:
            return read_arrays(path, reading, labelled)
        if suffix == ".ts":
            n_channels = None if labelled else len(reading.get("columns", ()))
            return read_ts(path, labelled=labelled, n_channels=n_channels, encoding=reading.get("encoding"))
        if suffix in (*FORMATS.names(), ""):
            return read_sequence_table(path, reading, labelled)
    except (OSError, UnicodeDecodeError, *UNPACK_ERRORS) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    known = ", ".join((*filter(None, file_suffixes()), *SOUNDS))
    raise UserError(f"sequences are read from {known}, or a folder of recordings; got {path}")
