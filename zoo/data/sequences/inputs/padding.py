"""What the sequence data sets share: tokens, padding, checks, inputs, and the readers of raw input."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.data.columns.drift import FAR_OUTSIDE
from zoo.data.folders import suffix
from zoo.data.registry import PARTIAL_READERS, READERS
from zoo.data.sequences.files.formats import read_file
from zoo.data.sequences.files.samples import load_arrays, without_padding
from zoo.data.sequences.files.series_table import last_windows
from zoo.data.sequences.inputs.gaps import carry_forward, fill_gaps
from zoo.data.splits import Batch, NamedBatch, report_unread

LARGEST = 8e9  # bytes that padded sequences may take


def encode_text(alphabet: str, text: str) -> Tensor:
    """Tokens (n,) of a text: each character's place in the alphabet, from 1; 0 is any other."""
    places = np.zeros(0x110000, dtype=np.int64)
    places[_points(alphabet)] = np.arange(1, len(alphabet) + 1)
    return torch.from_numpy(places[_points(text)])


def encode_texts(alphabet: str, texts: Sequence[str]) -> Batch:
    """Texts as {"tokens": (n, time), "lengths": (n,)}, padded with 0 at their ends."""
    tokens = encode_text(alphabet, "".join(texts)).split([len(text) for text in texts])
    return dict(zip(("tokens", "lengths"), pad(tokens), strict=True))


def token_inputs(alphabet: str) -> dict[str, Input]:
    """The inputs of texts of any lengths, padded at their ends."""
    tokens = Input((None,), "int64", ("time",), cardinalities=(len(alphabet) + 1,))
    return {"tokens": tokens, "lengths": Input(dtype="int64")}


def _points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sequences (time, ...) of any lengths as one tensor (n, longest, ...), zeros at the ends, and lengths (n,)."""
    return pad_sequence(list(sequences), batch_first=True), torch.tensor([len(sequence) for sequence in sequences])


def sequence_inputs(n_channels: int, n_steps: int | None = None, dtype: str = "float32") -> dict[str, Input]:
    """The inputs of sequences: of `n_steps` all, or of any lengths and padded at their ends."""
    sequence = Input((n_steps, n_channels), dtype, ("time", "n_channels"), scaled_axis=1)
    return {"sequence": sequence} if n_steps else {"sequence": sequence, "lengths": Input(dtype="int64")}


def checked(
    values: Sequence[np.ndarray],
    places: Sequence[str],
    n_channels: int,
    dtype: str = "float32",
    *,
    past: bool = False,
) -> tuple[Tensor, Tensor]:
    """Sequences of `dtype`, padded, and their lengths. Missing values (NaN) are interpolated within a channel of a
    sequence, or are the last value before them if they are filled from the `past` alone; those without such a value
    stay NaN, which a model reads as the mean. How many there are is said.

    Raises:
        UserError: naming the sequences without a step, with other channels, with infinity or with no value at all.
    """
    if not values:
        raise UserError("there are no sequences in this input")
    shaped = [one.ndim == 2 and one.shape[1] == n_channels and len(one) > 0 for one in values]
    for place, one, fits in zip(places, values, shaped, strict=True):
        if not fits:
            shape = " x ".join(map(str, one.shape))
            raise UserError(f"a sequence here is (time, {n_channels}), with one step at least; {place} is ({shape})")
    with np.errstate(over="ignore"):
        values = [one.astype(dtype, copy=False) for one in values]
    infinite = np.array([np.isinf(one).any() for one in values])
    if infinite.any():
        raise UserError(f"values are finite numbers; {first_places(places, infinite)} has infinity: correct it")
    void = np.array([np.isnan(one).all() for one in values])
    if void.any():
        raise UserError(f"a sequence has a value at least; {first_places(places, void)} has none: leave it out")
    lengths = [len(one) for one in values]
    size = np.dtype(dtype).itemsize * len(values) * max(lengths) * n_channels
    if size > LARGEST:
        raise UserError(
            f"padded to the longest, {places[int(np.argmax(lengths))]} with {max(lengths):,} steps, "
            f"{len(values):,} sequences take {size / 1e9:.0f} GB\n"
            f"cut long ones with data.max_steps= (half are shorter than {math.ceil(np.median(lengths)):,} steps)"
        )
    filled = [carry_forward(one) if past else fill_gaps(one) for one in values]
    _say_filled(values, filled, "the last value before them" if past else "their neighbours in the sequence")
    return pad([torch.tensor(one) for one in filled])


def _say_filled(values: Sequence[np.ndarray], filled: Sequence[np.ndarray], where: str) -> None:
    before, left = (sum(int(np.isnan(one).sum()) for one in some) for some in (values, filled))
    if before > left:
        echo(f"{before - left:,} missing values are filled in from {where}")
    if left:
        echo(f"{left:,} missing values have none to be filled in from, and are read as the mean of the training split")


def first_places(places: Sequence[str], bad: np.ndarray) -> str:
    """The places where the mask `bad` (n,) is true, at most three."""
    rows = np.flatnonzero(bad)
    return ", ".join(places[row] for row in rows[:3]) + (", ..." if len(rows) > 3 else "")


@READERS.register("sequence")
def read_sequences(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One sequence or several as {"sequence": (n, time, n_channels), "lengths": (n,)}, and whether it was one.

    Args:
        spec: says how many channels there are, and how files were read in training.
        raw: an array (time, n_channels), or several, or (n_channels, time) where training read those; or a path, or
            several, of the kinds that `data=sequences` reads. Recordings come as files alone.
    """
    ids: Mapping[str, list[str]] = {}
    if isinstance(raw, Path) and "date_column" in spec.reading:
        raw, ids = last_windows(spec, raw)
        raw = raw if ids else raw[0]
    values, places, single = _raw_sequences(spec, raw)
    _say_far(spec, values, places)
    return NamedBatch(as_trained(spec, values, places), ids), single


@PARTIAL_READERS.register("sequence")
def read_readable(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray | None]:
    """The sequences of a file that have finite values, as a batch, and their mask (n,) among all; the others are
    said."""
    if "date_column" in spec.reading:
        return read_sequences(spec, path)[0], None
    values, places, _ = _raw_sequences(spec, path)
    bad = np.array([np.isinf(one).any() or np.isnan(one).all() for one in values], dtype=bool)
    report_unread(bad, [f"no value, or infinity, in {first_places(places, bad)}"], "sequences")
    kept = np.flatnonzero(~bad)
    values, places = [values[row] for row in kept], [places[row] for row in kept]
    _say_far(spec, values, places)
    return as_trained(spec, values, places), ~bad


def _say_far(spec: DataSpec, values: Sequence[np.ndarray], places: Sequence[str]) -> None:
    """Say how many sequences have values far outside of training's range."""
    if not all(column.range for column in spec.columns):
        return
    low, high = np.array([column.range for column in spec.columns]).reshape(-1, 2).T
    slack = FAR_OUTSIDE * (high - low)
    far = [
        one.ndim == 2 and one.shape[1] == len(low) and ((one < low - slack) | (one > high + slack)).any(axis=0)
        for one in values
    ]
    some = np.array([np.any(channels) for channels in far], dtype=bool)
    if some.any():
        row = int(some.argmax())
        channel = int(np.argmax(far[row]))
        was = f"'{spec.columns[channel].name}' was {low[channel]:.10g} to {high[channel]:.10g}"
        echo(
            f"far outside of training's range: {some.sum():,} of {len(some):,} sequences, such as {places[row]}; {was}"
        )


def as_trained(spec: DataSpec, values: Sequence[np.ndarray], places: Sequence[str]) -> Batch:
    """Sequences as the batch that a model with `spec` takes; UserError for those of other channels or lengths."""
    (n_steps, n_channels), dtype = spec.inputs["sequence"].shape, spec.inputs["sequence"].dtype
    values = cut(values, spec.reading.get("max_steps"))
    past = "date_column" in spec.reading  # a series, of which the future is to be forecast
    sequence, lengths = checked(values, places, n_channels, dtype, past=past)  # type: ignore[arg-type]
    if n_steps and (lengths != n_steps).any():
        wrong = int((lengths != n_steps).nonzero()[0])
        raise UserError(f"a sequence here has {n_steps} steps; {places[wrong]} has {lengths[wrong]}: give as many")
    return {"sequence": sequence, "lengths": lengths}


def cut(values: Sequence[np.ndarray], max_steps: int | None) -> list[np.ndarray]:
    """Sequences, cut after `max_steps`, which is said; None takes all steps."""
    if n_long := sum(len(one) > max_steps for one in values) if max_steps else 0:
        echo(f"{n_long:,} of {len(values):,} sequences are cut after {max_steps:,} steps (data.max_steps)")
    return [one[:max_steps] for one in values]


def _raw_sequences(spec: DataSpec, raw: Any) -> tuple[list[np.ndarray], list[str], bool]:
    """The sequences of raw input, what to call each, and whether it was a single one."""
    if isinstance(raw, Path) and suffix(raw.name) == ".npy":
        (raw,) = load_arrays(raw).values()
    if isinstance(raw, Path) or (isinstance(raw, Sequence) and raw and all(isinstance(one, Path) for one in raw)):
        reading: Mapping[str, Any] = {**spec.reading, "columns": spec.column_names}
        parts = [read_file(path, reading, labelled=False) for path in ([raw] if isinstance(raw, Path) else raw)]
        single = isinstance(raw, Path) and raw.is_file() and "n_mels" in spec.reading
        return [v for part in parts for v in part.values], [p for part in parts for p in part.places], single
    single = not isinstance(raw, Sequence) and np.ndim(raw) == 2
    try:
        values = [np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in ([raw] if single else raw)]
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"sequences are arrays of numbers (time, n_channels), or files (pathlib.Path): {error}"
        ) from error
    if spec.reading.get("channels_first"):
        values = [one.T for one in values]
    if "lengths" in spec.inputs:
        values = without_padding(values, "this input")
    return values, [f"sequence {index}" for index in range(len(values))], single
