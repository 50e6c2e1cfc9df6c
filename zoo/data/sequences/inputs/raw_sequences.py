"""Readers of raw sequences: arrays and files that a trained model answers."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.columns.drift import FAR_OUTSIDE
from zoo.data.folders import suffix
from zoo.data.raw_input import as_frame, as_paths, describe
from zoo.data.registry import PARTIAL_READERS, READERS
from zoo.data.sequences.files.arrays import load_arrays
from zoo.data.sequences.files.formats import read_file
from zoo.data.sequences.files.samples import list_places, strip_padding
from zoo.data.sequences.inputs.last_windows import fill_from_past, last_windows
from zoo.data.sequences.inputs.padding import sequence_batch
from zoo.data.sequences.inputs.raw_notes import read_raw_pieces
from zoo.data.splits import Batch, NamedBatch, Names, report_unread
from zoo.tasks import TASKS


class RawSequences(NamedTuple):
    """Sequences (time, n_channels) before any check, what each is called in a message, whether the user gave a single
    one, and what their steps are called, by heading."""

    values: list[np.ndarray]
    places: list[str]
    single: bool
    steps: Mapping[str, list[list[str]]]

    def take(self, rows: np.ndarray) -> "RawSequences":
        """The sequences in `rows`."""
        values, places = [self.values[row] for row in rows], [self.places[row] for row in rows]
        steps = {heading: [column[row] for row in rows] for heading, column in self.steps.items()}
        return RawSequences(values, places, self.single, steps)


@READERS.register("sequence")
def read_sequences(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Read one sequence or several as {"sequence": (n, time, n_channels), "lengths": (n,)}; and whether it was one.

    Args:
        spec: says how many channels there are, and how files were read in training.
        raw: an array (time, n_channels), or (n_channels, time) where training read those, or (time,) of one channel, or
            several; of a series to forecast, its last steps are read. Or a path, or several, of the kinds that
            `data=sequences` reads; or such a table in memory. Recordings come as files only.
    """
    raw = as_paths(raw)
    if (table := _table_of(spec, raw)) is not None:
        return _read_as_file(spec, table)
    if isinstance(raw, Path) and "date_column" in spec.reading:
        windows = last_windows(spec, raw)
        batch = _batch(spec, _read_arrays(spec, windows.values)) | windows.known
        return NamedBatch(batch, windows.names), windows.single
    if "known" in spec.inputs:
        raise UserError(
            f"the model reads what is known ahead ({', '.join(spec.reading['known']) or 'the calendar'}): give a file "
            "or a DataFrame with its columns, not an array"
        )
    sequences = _read_raw(spec, raw)
    return NamedBatch(_batch(spec, sequences), _step_names(spec, sequences)), sequences.single


@PARTIAL_READERS.register("sequence")
def read_valid_sequences(spec: DataSpec, path: Path) -> tuple[Batch, np.ndarray | None]:
    """Read the sequences of a file that have finite values, and their mask (n,) among all; the others are reported."""
    if "date_column" in spec.reading:
        return read_sequences(spec, path)[0], None
    sequences = _read_raw(spec, path)
    bad = np.array([np.isinf(one).any() or np.isnan(one).all() for one in sequences.values], dtype=bool)
    report_unread(bad, [f"no value, or infinity, in {list_places(sequences.places, bad)}"], "sequences")
    sequences = sequences.take(np.flatnonzero(~bad))
    return NamedBatch(_batch(spec, sequences), _step_names(spec, sequences)), ~bad


def _batch(spec: DataSpec, sequences: RawSequences) -> Batch:
    _report_far_values(spec, sequences.values, sequences.places)
    return sequence_batch(spec, sequences.values, sequences.places)


def _step_names(spec: DataSpec, sequences: RawSequences) -> Names:
    """Names of the answers' rows where each step has an answer: ids and times as in the file, or sequences' numbers."""
    if not TASKS.get(spec.task).answers_steps:
        return {}
    lengths = [len(one[: spec.reading.get("max_steps")]) for one in sequences.values]
    steps = sequences.steps or {"sequence": [[str(number)] * n for number, n in enumerate(lengths)]}
    return {heading: [names[:n] for names, n in zip(column, lengths, strict=True)] for heading, column in steps.items()}


def _read_raw(spec: DataSpec, raw: Any) -> RawSequences:
    if "notes" in spec.reading:
        return RawSequences(*read_raw_pieces(spec, raw), {})
    if isinstance(raw, Path) and suffix(raw.name) == ".npy":
        (raw,) = load_arrays(raw).values()
    if isinstance(raw, Path):
        return _read_files(spec, [raw], single=raw.is_file() and "n_mels" in spec.reading)
    if isinstance(raw, Sequence) and raw and all(isinstance(path, Path) for path in raw):
        return _read_files(spec, raw, single=False)
    return _read_arrays(spec, raw)


def _read_files(spec: DataSpec, paths: Sequence[Path], single: bool) -> RawSequences:
    reading = {**spec.reading, "columns": spec.column_names}
    files = [read_file(path, reading, labelled=False) for path in paths]
    values = [sequence for samples in files for sequence in samples.values]
    shared = set(files[0].steps).intersection(*(samples.steps for samples in files))
    steps = {
        name: [one for samples in files for one in samples.steps[name]] for name in files[0].steps if name in shared
    }
    return RawSequences(values, [place for samples in files for place in samples.places], single, steps)


def _read_arrays(spec: DataSpec, raw: Any) -> RawSequences:
    n_channels, n_steps = spec.inputs["sequence"].shape[1] or 1, spec.inputs["sequence"].shape[0]
    try:
        arrays, single = _split(raw, n_channels)
        values = [np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in arrays]
    except (TypeError, ValueError, RuntimeError) as error:
        taken = f"a sequence here is (time, {n_channels}): an array, a list of them, or the path of a file"
        raise UserError(f"{taken}; got {describe(raw)}") from error
    values = [array[:, None] if array.ndim == 1 and n_channels == 1 else array for array in values]
    if spec.reading.get("channels_first"):
        values = [array.T for array in values]
    if "lengths" in spec.inputs:
        values = strip_padding(values, "this input")
    if "date_column" in spec.reading:
        long = [array.ndim == 2 and len(array) > (n_steps or 0) for array in values]
        values = fill_from_past(values, n_steps or 0, "this input") if all(long) else values
    return RawSequences(values, [f"sequence {index}" for index in range(len(values))], single, {})


def _split(raw: Any, n_channels: int) -> tuple[Sequence[Any], bool]:
    """The sequences in `raw`, and whether it is a single one: (time, n_channels), or (time,) of one channel."""
    if isinstance(raw, list | tuple):
        axes = {np.ndim(one) for one in raw}
        is_one = axes == {0} or (axes == {1} and n_channels > 1)
        return ([raw] if is_one else raw), is_one
    array = np.asarray(raw, dtype=np.float64)
    is_one = array.ndim == 1 or (array.ndim == 2 and (n_channels > 1 or array.shape[1] == 1))
    return ([array] if is_one else list(array)), is_one


def _table_of(spec: DataSpec, raw: Any) -> pd.DataFrame | pd.Series | None:
    """A table in memory that is read as a file of it is: of a series, or of sequences if training read a table."""
    if "date_column" in spec.reading and isinstance(raw, pd.Series):
        return raw.rename(str(raw.name or spec.column_names[0]))
    return None if {"layout", "date_column"}.isdisjoint(spec.reading) else as_frame(raw)


def _read_as_file(spec: DataSpec, table: pd.DataFrame | pd.Series) -> tuple[Batch, bool]:
    """Read a table in memory as the file that it would be."""
    from zoo.data.given.frames import TABLE, given_series

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, TABLE)
        given_series(table).save(path.parent / "data")
        try:
            return read_sequences(spec, path.parent / "data" / TABLE)
        except UserError as error:
            raise UserError(str(error).replace(f"{path.parent / 'data' / TABLE}", "this table")) from error


def _report_far_values(spec: DataSpec, values: Sequence[np.ndarray], places: Sequence[str]) -> None:
    """Report how many sequences have values far outside the range of the training split."""
    if not all(column.range for column in spec.columns):
        return
    low, high = np.array([column.range for column in spec.columns]).reshape(-1, 2).T
    margin = FAR_OUTSIDE * (high - low)
    far = [  # the channels of each sequence
        sequence.ndim == 2
        and sequence.shape[1] == len(low)
        and ((sequence < low - margin) | (sequence > high + margin)).any(axis=0)
        for sequence in values
    ]
    is_far = np.array([np.any(channels) for channels in far], dtype=bool)
    if is_far.any():
        row = int(is_far.argmax())
        channel = int(np.argmax(far[row]))
        trained = f"'{spec.columns[channel].name}' was {low[channel]:.10g} to {high[channel]:.10g}"
        n_far, n = is_far.sum(), len(is_far)
        echo(f"far outside of training's range: {n_far:,} of {n:,} sequences, such as {places[row]}; {trained}")
