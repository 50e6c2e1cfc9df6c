"""Files of sequences as arrays, and what all files of sequences share."""

import codecs
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.missing_marks import default_marks
from zoo.data.folders import suffix
from zoo.data.formats.cell_options import CellOptions
from zoo.data.formats.text_encoding import check_encoding, undecodable
from zoo.data.memory_limits import check_memory
from zoo.data.options import as_strings, match_heading

FIELDS = {
    "values": ("sequence", "sequences", "X", "x", "data"),
    "lengths": ("lengths", "length"),
    "target": ("target", "y", "label", "labels"),
}


@dataclass(frozen=True)
class Sequences:
    """What a file holds.

    Attributes:
        values: of each sequence (time, n_channels), float32 or float64; or each text.
        labels: (n,), text or numbers, null where one is missing; None where there are none.
        places: what each sequence is called in a message.
        columns: the channels' names.
        task: where the format says it.
        reading: what a later file of the kind is read with.
        keys: (n,) of what each was computed from, where it was.
    """

    values: list[Any]
    labels: pa.Array | None
    places: list[str]
    columns: list[str]
    task: str | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    keys: np.ndarray | None = None

    def place(self, row: int) -> str:
        """What sequence number `row` is called."""
        return self.places[row]


def read_arrays(path: Path, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    """Arrays by name: `sequence` or `X` (n, time, n_channels) or (n, time), `target` or `y` (n,), and `lengths`
    (n,) where sequences are padded. In an .npz, or each in an .npy file beside that of the sequences. With
    `channels_first` in `reading`, `X` is (n, n_channels, time)."""
    arrays = _load_all(path)
    values = np.asarray(arrays[_field(arrays, "values", path)])
    swapped = bool(reading.get("channels_first"))
    if values.ndim == 2:
        values = values[:, :, None]
    elif swapped and values.ndim == 3:
        values = values.swapaxes(1, 2)
    if values.ndim != 3 or values.dtype.kind not in "fiub":
        raise UserError(f"sequences are numbers (n, time, n_channels); {path} has {values.dtype} {values.shape}")
    lengths = arrays.get(_field(arrays, "lengths", path, needed=False))
    labels = arrays[_field(arrays, "target", path, name=reading.get("target"))] if labelled else None
    for what, one in {"lengths": lengths, "target": labels}.items():
        if one is not None and one.shape not in ((len(values),), (len(values), 1)):
            raise UserError(f"there is one for each sequence; in {path} X is {values.shape}, {what} {one.shape}")
    if labelled:
        _say_axes(path, values, swapped)
    sequences = without_padding(list(values), path.name) if lengths is None else _cut(values, lengths.ravel(), path)
    return Sequences(
        [one.astype(np.result_type(one, np.float32), copy=False) for one in sequences],
        None if labels is None else pa.array(labels.ravel(), from_pandas=True),
        [f"sequence {index}" for index in range(len(values))],
        [f"channel {number}" for number in range(1, values.shape[2] + 1)],
        reading={"channels_first": True} if swapped else {},
    )


def _say_axes(path: Path, values: np.ndarray, swapped: bool) -> None:
    n, n_steps, n_channels = values.shape
    orders = ["(n, time, n_channels)", "(n, n_channels, time)"]
    read, other = reversed(orders) if swapped else orders
    echo(f"{path.name}: {n:,} sequences of {n_steps:,} steps and {n_channels:,} channel{'s' * (n_channels > 1)}, read "
          f"as {read}; data.channels_first={str(not swapped).lower()} reads {other}")  # fmt: skip


def _cut(values: np.ndarray, lengths: np.ndarray, path: Path) -> list[np.ndarray]:
    """Sequences of their lengths."""
    bad = np.flatnonzero(~np.isin(lengths, np.arange(values.shape[1] + 1)))
    if len(bad):
        raise UserError(f"lengths are 0 to {values.shape[1]}; {path} has {lengths[bad[0]]} for sequence {bad[0]}")
    return [one[: int(length)] for one, length in zip(values, lengths, strict=True)]


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name, or that of an .npy by the file's."""
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
    """The arrays of an .npz; or an .npy of sequences, under any name, and what lies beside it under the usual ones."""
    if suffix(path.name) == ".npz":
        return load_arrays(path)
    usual = {f"{name}.npy": name for name in (*FIELDS["lengths"], *FIELDS["target"])}
    beside = {usual[file.name.lower()]: file for file in path.parent.iterdir() if file.name.lower() in usual}
    files = {"sequence": path, **beside}
    return {name: array for name, file in files.items() for array in load_arrays(file).values()}


def _field(arrays: Mapping[str, Any], kind: str, path: Path, needed: bool = True, name: Any = None) -> str:
    """The name under which the arrays hold a kind of field; "" if it is neither there nor needed."""
    name = None if name is None else match_heading(name, arrays)
    if name is not None and name not in arrays:
        raise unknown_name(f"array (data.{kind})", name, arrays)
    names = FIELDS[kind] if name is None else (name,)
    found = next((one for one in names if one in arrays), "")
    if needed and not found:
        if suffix(path.name) == ".npy":
            raise UserError(
                f"labels lie in a file beside that of the sequences, as {path.with_name('y.npy')}; put it there"
            )
        hint = "; or name it by data.target=" if kind == "target" else ""
        raise UserError(f"{path} has the arrays {', '.join(arrays)}; name one of them {' or '.join(names)}{hint}")
    return found


def without_padding(values: Sequence[np.ndarray], what: str) -> list[np.ndarray]:
    """Sequences (time, n_channels) without the steps at their ends that are NaN in all channels, which is said. One
    without any value is left as it is."""
    kept = [_n_measured(one) for one in values]
    n = sum(steps < len(one) for steps, one in zip(kept, values, strict=True))
    if n:
        echo(f"{what}: {n:,} of {len(values):,} sequences end in steps without a value, which are taken for padding; "
              "a value in the last step, or arrays with `lengths`, keeps them")  # fmt: skip
    return [one[:steps] for steps, one in zip(kept, values, strict=True)]


def _n_measured(one: np.ndarray) -> int:
    gaps = np.isnan(one).all(axis=1) if one.ndim == 2 else np.zeros(1, dtype=bool)
    return len(one) - (0 if gaps.all() else int(gaps[::-1].argmin()))


def cell_options(missing: Any, not_missing: Any, encoding: str | None) -> dict[str, Any]:
    """What a later file is read with, of the options that say how the cells of a table are read."""
    encoding = None if encoding is None else str(encoding)
    check_encoding(encoding)
    found = {"missing": as_strings(missing), "not_missing": default_marks(not_missing), "encoding": encoding}
    return {name: value for name, value in found.items() if value}


def cells_of(reading: Mapping[str, Any], text: Sequence[str] = ()) -> CellOptions:
    """How the cells of a table are read."""
    return CellOptions(
        text, **{name: reading[name] for name in ("missing", "not_missing", "encoding") if name in reading}
    )


def decoded(content: bytes, path: Path, encoding: str | None = None) -> str:
    """A file's content as text: UTF-16 with a mark, UTF-8, else of an encoding, None for Windows-1252, which is
    said."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if not (encoding and content.isascii()):  # as which the encodings of mail, and UTF-16 without a mark, may look
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode("utf-8-sig")
    if not encoding:
        echo(f"{path} is not UTF-8; it is read as Windows-1252 (data.encoding)")
        return content.decode("cp1252", "replace")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
