"""Sequences in numpy files: an .npz, or an .npy with others beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import IGNORE_INDEX
from zoo.data.folders import suffix
from zoo.data.memory_limits import check_memory
from zoo.data.options import match_heading
from zoo.data.sequences.files.samples import Samples, strip_padding

ARRAY_NAMES = {  # that a kind of array usually has
    "values": ("sequence", "sequences", "X", "x", "data"),
    "lengths": ("lengths", "length"),
    "target": ("target", "y", "label", "labels"),
}


def read_arrays(path: Path, reading: Mapping[str, Any], labelled: bool) -> Samples:
    """Read the sequences of an .npz, or of an .npy with the other arrays in files beside it.

    `X` is (n, time, n_channels) or (n, time), with `channels_first` in `reading` (n, n_channels, time); `y` is (n,), or
    (n, time) with a label for each step, as `per_step` in `reading` may say; and `lengths` (n,) where sequences are
    padded. ARRAY_NAMES has the other names that they may have.
    """
    arrays = _load_all(path)
    channels_first = bool(reading.get("channels_first"))
    values = _as_sequences(np.asarray(arrays[_find(arrays, "values", path)]), channels_first, path)
    lengths = arrays.get(_find(arrays, "lengths", path, required=False))
    labels = arrays[_find(arrays, "target", path, name=reading.get("target"))] if labelled else None
    per_step = labels is not None and labels.shape == values.shape[:2] and _is_per_step(labels, reading)
    for what, array in {"lengths": lengths, "target": None if per_step else labels}.items():
        if array is not None and array.shape not in ((len(values),), (len(values), 1)):
            raise UserError(f"there is one for each sequence; in {path} X is {values.shape}, {what} {array.shape}")
    if labelled:
        _report_axes(path, values, channels_first)
    sequences = strip_padding(list(values), path.name) if lengths is None else _cut(values, lengths.ravel(), path)
    return Samples(
        [sequence.astype(np.result_type(sequence, np.float32), copy=False) for sequence in sequences],
        None if labels is None else _as_labels(labels, sequences, per_step),
        [f"sequence {index}" for index in range(len(values))],
        [f"channel {number}" for number in range(1, values.shape[2] + 1)],
        reading={"channels_first": True} if channels_first else {},
    )


def _is_per_step(labels: np.ndarray, reading: Mapping[str, Any]) -> bool:
    """Whether labels (n, time) are of the steps, as `reading` says, if it does."""
    asked = reading.get("per_step")
    return labels.shape[1] > 1 if asked is None else asked


def _as_labels(labels: np.ndarray, sequences: Sequence[np.ndarray], per_step: bool) -> pa.Array:
    """The label of each sequence (n,), or the labels (n, time) as a list for each sequence, without padding; null where
    they are NaN, or IGNORE_INDEX for a step."""
    if not per_step:
        return pa.array(labels.ravel(), from_pandas=True)
    lengths = [len(sequence) for sequence in sequences]
    flat = np.concatenate([row[:length] for row, length in zip(labels, lengths, strict=True)])
    missing = flat == IGNORE_INDEX if flat.dtype.kind in "iu" else None
    offsets = np.cumsum([0, *lengths]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(flat, mask=missing, from_pandas=True))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Load the arrays of an .npz by name, or that of an .npy by the file's name. Pickled objects are refused."""
    try:
        if suffix(path.name) == ".npy":
            return {path.stem: np.load(path, allow_pickle=False)}
        with np.load(path, allow_pickle=False) as arrays:
            check_memory(sum(entry.file_size for entry in arrays.zip.infolist()), path)
            return dict(arrays)
    except (UserError, OSError):
        raise
    except Exception as error:  # damaged files raise nearly anything
        raise UserError(
            f"{path} is no file of plain numpy arrays ({error})\n"
            "sequences of unequal length are saved padded, (n, time, n_channels), with their `lengths`"
        ) from error


def _load_all(path: Path) -> dict[str, np.ndarray]:
    """Load an .npz, or an .npy of sequences with the files of usual names beside it."""
    if suffix(path.name) == ".npz":
        return load_arrays(path)
    known = {f"{name}.npy": name for name in (*ARRAY_NAMES["lengths"], *ARRAY_NAMES["target"])}
    beside = {known[file.name.lower()]: file for file in path.parent.iterdir() if file.name.lower() in known}
    files = {"sequence": path, **beside}
    return {name: array for name, file in files.items() for array in load_arrays(file).values()}


def _as_sequences(values: np.ndarray, channels_first: bool, path: Path) -> np.ndarray:
    """An array of sequences as (n, time, n_channels)."""
    if values.ndim == 2:
        values = values[:, :, None]
    elif channels_first and values.ndim == 3:
        values = values.swapaxes(1, 2)
    if values.ndim != 3 or values.dtype.kind not in "fiub":
        raise UserError(f"sequences are numbers (n, time, n_channels); {path} has {values.dtype} {values.shape}")
    return values


def _cut(values: np.ndarray, lengths: np.ndarray, path: Path) -> list[np.ndarray]:
    """Cut padded sequences (n, time, n_channels) to their lengths (n,)."""
    bad = np.flatnonzero(~np.isin(lengths, np.arange(values.shape[1] + 1)))
    if len(bad):
        raise UserError(f"lengths are 0 to {values.shape[1]}; {path} has {lengths[bad[0]]} for sequence {bad[0]}")
    return [sequence[: int(length)] for sequence, length in zip(values, lengths, strict=True)]


def _find(arrays: Mapping[str, Any], kind: str, path: Path, required: bool = True, name: Any = None) -> str:
    """The name of the array of a kind: the one asked for, else a usual one; "" if it is absent and not required."""
    name = None if name is None else match_heading(name, arrays)
    if name is not None and name not in arrays:
        raise unknown_name(f"array (data.{kind})", name, arrays)
    names = ARRAY_NAMES[kind] if name is None else (name,)
    found = next((candidate for candidate in names if candidate in arrays), "")
    if found or not required:
        return found
    if suffix(path.name) == ".npy":
        raise UserError(
            f"labels lie in a file beside that of the sequences, as {path.with_name('y.npy')}; put it there"
        )
    hint = "; or name it by data.target=" if kind == "target" else ""
    raise UserError(f"{path} has the arrays {', '.join(arrays)}; name one of them {' or '.join(names)}{hint}")


def _report_axes(path: Path, values: np.ndarray, channels_first: bool) -> None:
    n, n_steps, n_channels = values.shape
    orders = ["(n, time, n_channels)", "(n, n_channels, time)"]
    used, other = reversed(orders) if channels_first else orders
    echo(f"{path.name}: {n:,} sequences of {n_steps:,} steps and {n_channels:,} channel{'s' * (n_channels > 1)}, read "
         f"as {used}; data.channels_first={str(not channels_first).lower()} reads {other}")  # fmt: skip
