"""Sequences of any lengths as one padded tensor: checks, missing values, and the inputs that a spec describes."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.formatting import number_are
from zoo.core.spec import DataSpec, Input
from zoo.data.sequences.files.samples import list_places
from zoo.data.sequences.inputs.gaps import carry_forward, interpolate_gaps
from zoo.data.splits import Batch

LARGEST = 8e9  # bytes of padded sequences


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pad sequences (time, ...) with zeros at their ends: one tensor (n, longest, ...), and the lengths (n,)."""
    return pad_sequence(list(sequences), batch_first=True), torch.tensor([len(sequence) for sequence in sequences])


def sequence_inputs(n_channels: int, n_steps: int | None = None, dtype: str = "float32") -> dict[str, Input]:
    """Describe the inputs of sequences that all have `n_steps`, or of any lengths and padded at their ends."""
    sequence = Input((n_steps, n_channels), dtype, ("time", "n_channels"), scaled_axis=1)
    return {"sequence": sequence} if n_steps else {"sequence": sequence, "lengths": Input(dtype="int64")}


def sequence_batch(spec: DataSpec, values: Sequence[np.ndarray], places: Sequence[str]) -> Batch:
    """Build the batch that a model with `spec` takes; UserError for sequences with other channels or lengths."""
    an_input = spec.inputs["sequence"]
    values = truncate(values, spec.reading.get("max_steps"))
    is_series = "date_column" in spec.reading  # whose future is to be forecast, so that gaps are filled from the past
    sequence, lengths = check_and_pad(values, places, an_input, past=is_series)
    n_steps = an_input.shape[0]
    if n_steps and (lengths != n_steps).any():
        wrong = int((lengths != n_steps).nonzero()[0])
        raise UserError(f"a sequence here has {n_steps} steps; {places[wrong]} has {lengths[wrong]}: give as many")
    return {"sequence": sequence, "lengths": lengths}


def check_and_pad(
    values: Sequence[np.ndarray], places: Sequence[str], an_input: Input, *, past: bool = False
) -> tuple[Tensor, Tensor]:
    """Fill the missing values (NaN) of sequences, and pad them. How many values are filled is reported.

    Args:
        values: each (time, n_channels).
        places: what each is called in a message.
        an_input: the spec's description of the sequences, with their channels and dtype.
        past: fill with the last value before, instead of interpolating within a channel of a sequence. Values that
            cannot be filled stay NaN, which a model reads as the mean.

    Returns:
        The padded sequences (n, longest, n_channels), and their lengths (n,).

    Raises:
        UserError: naming sequences without a step or a value, with other channels, or with infinity.
    """
    n_channels, dtype = an_input.shape[1] or 0, an_input.dtype
    _check_shapes(values, places, n_channels)
    with np.errstate(over="ignore"):
        values = [sequence.astype(dtype, copy=False) for sequence in values]
    _check_values(values, places)
    _check_size(values, places, np.dtype(dtype).itemsize * n_channels)
    filled = [carry_forward(sequence) if past else interpolate_gaps(sequence) for sequence in values]
    _report_filled(values, filled, "with the last value before" if past else "from neighbours in the sequence")
    return pad([torch.tensor(sequence) for sequence in filled])


def _check_shapes(values: Sequence[np.ndarray], places: Sequence[str], n_channels: int) -> None:
    if not values:
        raise UserError("there are no sequences in this input")
    for place, sequence in zip(places, values, strict=True):
        if sequence.ndim != 2 or sequence.shape[1] != n_channels or not len(sequence):
            shape = " x ".join(map(str, sequence.shape))
            raise UserError(f"a sequence here is (time, {n_channels}), with at least one step; {place} is ({shape})")


def _check_values(values: Sequence[np.ndarray], places: Sequence[str]) -> None:
    infinite = np.array([np.isinf(sequence).any() for sequence in values])
    if infinite.any():
        raise UserError(f"values are finite numbers; {list_places(places, infinite)} has infinity: correct it")
    empty = np.array([np.isnan(sequence).all() for sequence in values])
    if empty.any():
        raise UserError(f"a sequence has at least one value; {list_places(places, empty)} has none: leave it out")


def _check_size(values: Sequence[np.ndarray], places: Sequence[str], n_bytes: int) -> None:
    """Raise UserError where padded sequences of `n_bytes` a step do not fit in memory."""
    lengths = [len(sequence) for sequence in values]
    size = n_bytes * len(values) * max(lengths)
    if size > LARGEST:
        raise UserError(
            f"padded to the longest, {places[int(np.argmax(lengths))]} with {max(lengths):,} steps, "
            f"{len(values):,} sequences take {size / 1e9:.0f} GB\n"
            f"truncate long ones with data.max_steps= (half are shorter than {math.ceil(np.median(lengths)):,} steps)"
        )


def _report_filled(before: Sequence[np.ndarray], after: Sequence[np.ndarray], how: str) -> None:
    n_before, n_left = (sum(int(np.isnan(sequence).sum()) for sequence in values) for values in (before, after))
    if n_before > n_left:
        echo(f"{number_are(n_before - n_left, 'missing value')} filled {how}")
    if n_left:
        echo(f"{n_left:,} missing values have no value to fill them from, and are read as the training split's mean")


def truncate(values: Sequence[np.ndarray], max_steps: int | None) -> list[np.ndarray]:
    """Cut sequences after `max_steps`, and report how many are longer; None keeps all steps."""
    if n_long := sum(len(sequence) > max_steps for sequence in values) if max_steps else 0:
        echo(f"{n_long:,} of {len(values):,} sequences are cut after {max_steps:,} steps (data.max_steps)")
    return [sequence[:max_steps] for sequence in values]
