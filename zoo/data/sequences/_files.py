"""Files of sequences as they are: arrays, .ts of the aeon archives, and recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.data.sequences._sound import SUFFIXES, band_names, log_mel, read_sound
from zoo.data.stored import check_room
from zoo.errors import UserError, unknown

FIELDS = {
    "values": ("sequence", "sequences", "X", "x", "data"),
    "lengths": ("lengths", "length"),
    "target": ("target", "y", "label", "labels"),
}


@dataclass(frozen=True)
class Sequences:
    """What a file holds.

    Attributes:
        values: of each sequence (time, n_channels), float32.
        labels: (n,), text or numbers, null where one is missing; None where there are none.
        places: what each sequence is called in a message.
        columns: the channels' names.
        task: where the format says it.
        reading: what a later file of the kind is read with.
    """

    values: list[np.ndarray]
    labels: pa.Array | None
    places: list[str]
    columns: list[str]
    task: str | None = None
    reading: dict[str, Any] = field(default_factory=dict)

    def place(self, row: int) -> str:
        """What sequence number `row` is called."""
        return self.places[row]


def read_arrays(path: Path, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    """Arrays by name: `sequence` or `X` (n, time, n_channels) or (n, time), `target` or `y` (n,), and `lengths`
    (n,) where sequences are padded. In an .npz, or each in an .npy file beside that of the sequences."""
    arrays = _load_all(path)
    values = np.asarray(arrays[_field(arrays, "values", path)])
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.dtype.kind not in "fiub":
        raise UserError(f"sequences are numbers (n, time, n_channels); {path} has {values.dtype} {values.shape}")
    lengths = arrays.get(_field(arrays, "lengths", path, needed=False), np.full(len(values), values.shape[1]))
    labels = arrays[_field(arrays, "target", path, name=reading.get("target"))] if labelled else None
    for what, one in {"lengths": lengths, "target": labels}.items():
        if one is not None and one.shape not in ((len(values),), (len(values), 1)):
            raise UserError(f"there is one for each sequence; in {path} X is {values.shape}, {what} {one.shape}")
    lengths = lengths.ravel()
    bad = np.flatnonzero(~np.isin(lengths, np.arange(values.shape[1] + 1)))
    if len(bad):
        raise UserError(f"lengths are 0 to {values.shape[1]}; {path} has {lengths[bad[0]]} for sequence {bad[0]}")
    return Sequences(
        [one[: int(length)].astype(np.float32) for one, length in zip(values, lengths, strict=True)],
        None if labels is None else pa.array(labels.ravel(), from_pandas=True),
        [f"sequence {index}" for index in range(len(values))],
        [f"channel {number}" for number in range(1, values.shape[2] + 1)],
    )


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name, or that of an .npy by the file's."""
    try:
        if path.suffix == ".npy":
            return {path.stem: np.load(path, allow_pickle=False)}
        with np.load(path, allow_pickle=False) as arrays:
            check_room(sum(entry.file_size for entry in arrays.zip.infolist()), path)
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
    if path.suffix == ".npz":
        return load_arrays(path)
    names = [*FIELDS["lengths"], *FIELDS["target"]]
    beside = [path.with_name(f"{name}.npy") for name in names]
    arrays = {"sequence": load_arrays(path)[path.stem]}
    return arrays | {other.stem: load_arrays(other)[other.stem] for other in beside if other.exists()}


def _field(arrays: Mapping[str, Any], kind: str, path: Path, needed: bool = True, name: str | None = None) -> str:
    """The name under which the arrays hold a kind of field; "" if it is neither there nor needed."""
    if name and name not in arrays:
        raise unknown(f"array (data.{kind})", name, arrays)
    names = (name,) if name else FIELDS[kind]
    found = next((one for one in names if one in arrays), "")
    if needed and not found:
        if path.suffix == ".npy":
            raise UserError(
                f"labels lie in a file beside that of the sequences, as {path.with_name('y.npy')}; put it there"
            )
        hint = "; or name it by data.target=" if kind == "target" else ""
        raise UserError(f"{path} has the arrays {', '.join(arrays)}; name one of them {' or '.join(names)}{hint}")
    return found


def read_ts(path: Path, labelled: bool = True) -> Sequences:
    """A file of the aeon archives: header lines with @, then one sequence a line, its channels and label parted by
    colons, the values by commas; `?` is a missing value. The label is a number where the header says @targetlabel."""
    header: dict[str, str] = {}
    values, labels, places = [], [], []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(map(str.strip, file), 1):
            if line.startswith("@"):
                key, _, value = line[1:].partition(" ")
                header[key.lower()] = value.strip().lower()
            elif line and line[0] not in "#%":
                channels = line.split(":")
                if _has_labels(header):
                    labels.append(channels.pop().strip())
                values.append(_channels(channels, f"{path.name}, line {number}"))
                places.append(f"line {number}")
    if not values:
        raise UserError(f"{path} has no sequences; a line of it is 1.5,2,3:label, with a colon after each channel")
    if labelled and not labels:
        raise UserError(f"{path} says @classlabel false, so there is nothing to learn; give a file with labels")
    columns = [f"channel {number}" for number in range(1, values[0].shape[1] + 1)]
    task = "regression" if header.get("targetlabel") == "true" else "classification"
    return Sequences(values, pa.array(labels) if labels else None, places, columns, task)


def _has_labels(header: Mapping[str, str]) -> bool:
    return header.get("targetlabel") == "true" or not header.get("classlabel", "true").startswith("false")


def _channels(texts: Sequence[str], place: str) -> np.ndarray:
    """The channels of a line as (time, n_channels)."""
    if not texts:
        raise UserError(f"a line is 1.5,2,3:label, with a colon after each channel; {place} has none")
    try:
        channels = [np.array(text.replace("?", "nan").split(",") if text.strip() else [], np.float64) for text in texts]
    except ValueError as error:
        raise UserError(f"values are numbers, parted by commas; {place}: {error}") from error
    if len({len(channel) for channel in channels}) > 1:
        lengths = ", ".join(str(len(channel)) for channel in channels)
        raise UserError(f"all channels of a sequence are equally long; {place} has {lengths} values")
    return np.stack(channels, axis=1).astype(np.float32)


def read_recordings(path: Path, reading: Mapping[str, Any], labelled: bool) -> Sequences:
    """One recording, or those of a folder, as log-mel spectrograms; a class is a folder in it. The rate is that of the
    first recording unless `reading` has one."""
    files = sorted(file for file in path.rglob("[!.]*") if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise UserError(f"a folder of recordings has {', '.join(SUFFIXES)} files; there are none in {path}")
    names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    loose = [name for name in names if len(Path(name).parts) < 2]
    if labelled and loose:
        raise UserError(f"recordings lie in a folder for each class, {path}/<class>/1.wav; {loose[0]} lies in none")
    if "n_mels" not in reading:
        raise UserError(f"this model has not learnt from recordings, and cannot take {path}; give arrays or a table")
    options = {name: reading[name] for name in ("n_mels", "window", "hop")}
    rate, values, kept, damaged = reading.get("rate"), [], [], []
    for file, name in zip(files, names, strict=True):
        try:
            samples, rate = read_sound(file, rate, str(file))
        except UserError as error:
            damaged.append(error)
        else:
            values.append(log_mel(samples, rate=rate, **options).numpy())
            kept.append(name)
    if damaged and not (labelled and kept):
        raise damaged[0]
    if damaged:
        print(f"left out: {len(damaged)} of {len(files)} recordings", *damaged[:5], sep="\n  ")
    labels = pa.array([Path(name).parts[0] for name in kept]) if labelled else None
    return Sequences(values, labels, kept, band_names(reading["n_mels"]), "classification", {**options, "rate": rate})
