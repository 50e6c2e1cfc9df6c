"""Pieces of music as files of notes: a row or an entry for each step, with the pitches that sound or a 0 or 1 for each
label."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.errors import UserError, missing_file, unknown_name
from zoo.data.columns.arrow import to_array
from zoo.data.columns.numbers import BOOLEAN_WORDS, require_numbers
from zoo.data.folders import SPLIT_NAMES, list_files
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.memory_limits import check_memory
from zoo.data.options import match_headings
from zoo.data.registry import FORMATS
from zoo.data.sequences.files.arrays import read_arrays
from zoo.data.sequences.files.headerless import read_headerless
from zoo.data.sequences.files.samples import cell_reading
from zoo.data.sequences.files.step_table import named_column, sequence_rows
from zoo.data.sources.packed import UNPACK_ERRORS, inner_suffix

TAKEN = (
    "pieces are a table with a row for each step (.csv, .tsv, .parquet), a folder of them, an .npz of X (n, time, "
    "n_notes) with lengths, or .json of pieces: lists of steps, each a list of pitches"
)
MANY = 32  # steps, over which the pitches of a voice hardly ever only rise


@dataclass
class Pieces:
    """Pieces before their notes are read as labels.

    Attributes:
        values: each (time, n_columns), NaN where a cell is empty.
        places: what each is called in a message.
        splits: "train", "val", "test", or "" where the files do not say.
        columns: headings of the values; none where a step is a list of pitches.
    """

    values: list[np.ndarray] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def add(self, values: np.ndarray, place: str, split: str = "") -> None:
        """Add a piece."""
        self.values.append(values)
        self.places.append(place)
        self.splits.append(split)


def read_pieces(path: Path, reading: Mapping[str, Any]) -> Pieces:
    """Read the pieces of a file, or of all files of a folder, whose subfolders may be train, valid and test.

    `reading` may name the columns `id`, `time` and `columns`.
    """
    if not path.exists():
        raise missing_file(path)
    if path.is_dir():
        return _read_folder(path, reading)
    kind = inner_suffix(path)
    try:
        if kind == ".json":
            return _read_json(path)
        if kind in (".npz", ".npy"):
            samples = read_arrays(path, reading, labelled=False)
            return Pieces(samples.values, samples.places, [""] * len(samples.values), samples.columns)
        if kind in FORMATS.names():
            return _read_table(path, reading)
    except (OSError, UnicodeDecodeError, *UNPACK_ERRORS) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    raise UserError(f"{TAKEN}; got {path}")


def _read_folder(folder: Path, reading: Mapping[str, Any]) -> Pieces:
    files = [file for file in list_files(folder) if inner_suffix(file) in (".json", ".npz", *FORMATS.names())]
    if not files:
        raise UserError(f"{TAKEN}; {folder} holds none")
    whole = Pieces()
    for file in files:
        part, inside = read_pieces(file, reading), file.relative_to(folder)
        split = SPLIT_NAMES.get(inside.parts[0].lower(), "") if len(inside.parts) > 1 else ""
        if whole.values and part.columns != whole.columns:
            raise UserError(
                f"the files of a folder have the same columns; {whole.places[0]} has {', '.join(whole.columns)}, "
                f"{inside} {', '.join(part.columns)}\ntake some by data.columns=[...]"
            )
        whole.columns = part.columns
        several = len(part.values) > 1
        for values, place, given in zip(part.values, part.places, part.splits, strict=True):
            whole.add(values, f"{inside}, {place}" if several else str(inside), given or split)
    return whole


def _read_table(path: Path, reading: Mapping[str, Any]) -> Pieces:
    """The pieces of a table in the order in which their ids appear; one piece where it has no ids."""
    table = read_headerless(path, reading)
    place = place_in(path, reading.get("encoding"))
    if table is None:
        table = read_table(path, cell_reading(reading))
    id, time = (named_column(table, reading.get(role), role, True) for role in ("id", "time"))
    if time in ("t", "T") and not reading.get("time") and {"s", "a", "b"} <= {*map(str.lower, table.column_names)}:
        time = None  # the tenor
    columns = match_headings(reading.get("columns"), table.column_names)
    columns = columns or [name for name in table.column_names if name not in (id, time)]
    values = np.stack([_numbers(table, name, place) for name in columns], 1) if columns else np.empty((0, 0))
    if not values.size:
        raise UserError(f"a table of notes has rows, and columns of pitches or of 0 and 1; {path} has none")
    if not id and not reading.get("columns"):
        _refuse_ids(columns, values, path.name)
    rows, ids, _ = sequence_rows(table, id, [time] if time else [], place)
    named = [f"id {one}" for one in ids] if id else [path.name]
    return Pieces([values[of_one] for of_one in rows], named, [""] * len(rows), columns)


def _refuse_ids(columns: Sequence[str], values: np.ndarray, file: str) -> None:
    """Refuse a column whose numbers never fall, (n_rows, n_columns), which are ids or times rather than pitches."""
    for name, column in zip(columns, values.T, strict=True):
        if len(column) >= MANY and column.max() > 1 and (np.diff(column) >= 0).all() and np.ptp(column) > 0:
            raise UserError(
                f"a voice rises and falls; '{name}' of {file} never falls: say data.id={name} if it tells the pieces "
                f"apart, data.time={name} if it orders the steps, or which columns are notes by data.columns=[...]"
            )


def _numbers(table: pa.Table, name: str, place: Any) -> np.ndarray:
    if name not in table.column_names:
        raise UserError(f"the input lacks a column: {unknown_name('column', name, table.column_names)}")
    fix = f"correct it, say data.id={name} if it tells the pieces apart, or take others by data.columns=[...]"
    rule = f"column '{name}' holds pitches as MIDI numbers, or 0 and 1"
    return require_numbers(to_array(table[name]), rule, place, fix, BOOLEAN_WORDS)


def _read_json(path: Path) -> Pieces:
    """The pieces of a JSON file: a list, or lists by the name of a split."""
    check_memory(10 * path.stat().st_size, path)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON that can be read: {str(error)[:100]}") from error
    by_split = content if isinstance(content, dict) else {"": content}
    if unknown := [name for name in by_split if name and str(name).lower() not in SPLIT_NAMES]:
        raise UserError(f"pieces are in a list, or in lists called train, valid and test; {path} has {unknown[0]!r}")
    pieces = Pieces()
    for name, several in by_split.items():
        for number, piece in enumerate(several if isinstance(several, list) else [several]):
            place = f"piece {number} of {name or path.name}"
            pieces.add(steps_of(piece, place), place, SPLIT_NAMES.get(str(name).lower(), ""))
    return pieces


def steps_of(piece: Any, place: str) -> np.ndarray:
    """A list of steps, each a list of pitches or a single one, as (time, most pitches of a step), NaN where fewer."""
    try:
        steps = [np.atleast_1d(np.asarray(step, dtype=np.float64)) for step in piece]
        if any(step.ndim != 1 for step in steps):
            raise ValueError("a step is a list of numbers")
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"a piece is a list of steps, each a list of pitches as MIDI numbers, [] for silence; {place} is not"
        ) from error
    return np.array(list(itertools.zip_longest(*steps, fillvalue=np.nan)), dtype=np.float64).T.reshape(len(steps), -1)


def are_pitches(values: np.ndarray) -> bool:
    """Whether values (n_steps, n_columns) may be the pitches of several voices on a piano, 0 or NaN for silence."""
    sounding = values[~np.isnan(values) & (values != 0)]
    is_pitch = (sounding == np.floor(sounding)) & (sounding >= 21) & (sounding <= 108)
    return values.shape[1] > 1 and len(sounding) > 0 and bool(is_pitch.all())


def to_roll(pieces: Sequence[np.ndarray], places: Sequence[str], pitches: Sequence[int]) -> list[np.ndarray]:
    """Turn pieces of pitches (time, n_voices), NaN or at most 0 where silent, into 0 or 1 for each of `pitches`, (time,
    n_pitches).

    Raises:
        UserError: naming a pitch that is no whole number, or not among `pitches`.
    """
    rolls, low = [], pitches[0]
    for values, place in zip(pieces, places, strict=True):
        sounds = ~np.isnan(values) & (values > 0)
        bad = sounds & ((values != np.floor(values)) | (values < low) | (values > pitches[-1]))
        if bad.any():
            step, voice = np.argwhere(bad)[0]
            raise UserError(
                f"pitches are MIDI numbers from {low} to {pitches[-1]}, 0 for silence; {place} has "
                f"{values[step, voice]:g} in step {step + 1}"
            )
        roll = np.zeros((len(values), len(pitches)), np.float32)
        steps, voices = np.nonzero(sounds)
        roll[steps, values[steps, voices].astype(int) - low] = 1
        rolls.append(roll)
    return rolls
