"""Read raw pieces of notes for a trained model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.raw_input import as_frame, describe
from zoo.data.sequences.files.note_files import read_pieces, steps_of, to_roll


def read_raw_pieces(spec: DataSpec, raw: Any) -> tuple[list[np.ndarray], list[str], bool]:
    """Read pieces as 0 or 1 for each label, each float32 (time, n_labels); what each is called in a message; and
    whether it was a single one.

    Args:
        spec: of a model of the next step.
        raw: paths of the kinds that data=notes reads; a DataFrame of one piece; or one piece or several, each an array
            (time, n_labels) of 0 and 1, an array of pitches (time, n_voices), or a list of steps with a list of pitches
            each.
    """
    if isinstance(raw, Path):
        pieces = read_pieces(raw, spec.reading)
        single = len(pieces.values) == 1 and raw.is_file()
        return as_labels(spec, pieces.values, pieces.places), pieces.places, single
    if isinstance(raw, Sequence) and raw and all(isinstance(path, Path) for path in raw):
        parts = [read_raw_pieces(spec, path) for path in raw]
        return [one for values, _, _ in parts for one in values], [one for _, names, _ in parts for one in names], False
    if isinstance(raw, Mapping) or hasattr(raw, "columns"):
        frame = as_frame(raw)
        names = spec.reading["columns"]
        if frame is None or not set(names) <= set(frame.columns):
            raise UserError(f"a piece here has the columns {', '.join(names)}; got {describe(raw)}")
        raw = frame[names].to_numpy(dtype=np.float64)
    depth = _depth(raw)
    if depth not in (1, 2, 3) or not len(raw):
        raise UserError(f"a piece here is a list of steps, an array (time, n), or a path; got {describe(raw)}")
    single = depth < 3
    several = [raw] if single else list(raw)
    places = [f"piece {number}" for number in range(len(several))]
    return as_labels(spec, list(map(steps_of, several, places)), places), places, single


def _depth(raw: Any) -> int:
    """How many lists are in one another, or the axes of an array."""
    if isinstance(raw, list | tuple):
        return 1 + max(map(_depth, raw), default=0)
    return int(getattr(raw, "ndim", 0))


def as_labels(spec: DataSpec, values: Sequence[np.ndarray], places: Sequence[str]) -> list[np.ndarray]:
    """Pieces (time, n_columns) as 0 or 1 for each label of a spec, float32 (time, n_labels)."""
    pitches, n_labels = spec.reading["notes"], spec.n_outputs
    are_labels = [piece.shape[1:] == (n_labels,) and np.isin(piece[~np.isnan(piece)], (0, 1)).all() for piece in values]
    if pitches is None or all(are_labels):
        if not all(are_labels):
            wrong = are_labels.index(False)
            raise UserError(
                f"a step here is 0 or 1 for each of {n_labels} labels; {places[wrong]} is of shape "
                f"{values[wrong].shape}, or has other numbers"
            )
        return [np.nan_to_num(piece).astype(np.float32) for piece in values]
    return to_roll(values, places, range(pitches[0], pitches[1] + 1))
