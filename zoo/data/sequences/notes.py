"""A user's pieces of music, or other sequences of several labels at once, to be continued: what comes next."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.data import DATA, Facts
from zoo.data.leakage import report_duplicates
from zoo.data.options import as_list
from zoo.data.random_split import carve, check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.note_files import Pieces, read_pieces, to_roll
from zoo.data.sequences.files.train_test import data_set_name, evaluation_path, missing_path
from zoo.data.sequences.inputs.padding import check_and_pad
from zoo.data.sequences.inputs.raw_notes import as_labels
from zoo.data.splits import Split, Splits, TensorSplit, report_sizes

PIANO, ALL_PITCHES = range(21, 109), range(1, 128)  # MIDI numbers
FACTS = Facts(
    task="next_step",
    rows="as found; 60 / 20 / 20 % of the pieces where the files do not say",
    inputs="sequence of 0 or 1 for each note, from files of pitches or of 0 and 1",
    licence="yours",
    source="yours",
    model="rnn/gru",
)


@DATA.register("notes")
def notes(
    *,
    path: str | None = None,
    id: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    encoding: str | None = None,
    val_share: float = 0.2,
    test_share: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """Load pieces as sequences of 0 or 1 for each note; the target of a step is the next one.

    A step holds pitches as MIDI numbers, 0 for silence: then the notes are the 88 of a piano, as in the literature,
    or 1 to 127 where some lie outside. Or it holds 0 or 1 for each label, such as the notes of a piano roll.

    Args:
        path: a .csv, .tsv or .parquet with a row for each step, a folder of them, perhaps in train/, valid/ and test/;
            an .npz of `X` (n, time, n_notes) and `lengths` (n,); or a .json of pieces, lists of steps with a list of
            pitches each, perhaps by the name of a split.
        id: the column that says which piece a row belongs to; None finds one of a usual name, or a file is a piece.
        time: the column that orders the rows of a piece; None finds one of a usual name, or keeps their order.
        columns: of pitches, or of 0 and 1; None takes all others.
        encoding: of a text file that is not UTF-8; None is Windows-1252.
        val_share: share of the pieces to validate with, where the files do not say.
        test_share: share to test with, where they do not say.
        split_seed: of the random split.
    """
    if not path:
        raise missing_path("notes")
    check_shares(val_share, test_share)
    options = {"id": id, "time": time, "columns": as_list(columns), "encoding": encoding}
    reading = {name: value for name, value in options.items() if value}
    pieces = read_pieces(Path(path).expanduser(), reading)
    names, pitches = _labels(pieces)
    rows = _split_rows(pieces, val_share, test_share, split_seed)
    reading["columns"] = pieces.columns
    spec = DataSpec(
        data_set_name(path),
        FACTS.task,
        {"sequence": Input((None, len(names)), axes=("time", "n_channels")), "lengths": Input(dtype="int64")},
        len(names),
        Input((None, len(names)), axes=("time", "n_labels")),
        "the labels of the next step" if pitches is None else "the notes of the next step",
        names,
        reading={**reading, "notes": None if pitches is None else [pitches[0], pitches[-1]]},
        licence=FACTS.licence,
        source=Path(path).name,
    )
    train, val, test = (_split(spec, pieces, of_one) for of_one in rows)
    splits = Splits(spec, train, val, test)
    _check_labels(splits)
    report_sizes(splits, "pieces")
    report_duplicates(splits)
    return splits


@LABELLED_READERS.register("notes")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read all pieces of another file or folder, to measure a model with `spec` on."""
    if "notes" not in spec.reading:
        raise UserError(f"data=notes has pieces to continue; this model does {spec.task}")
    options = {name: data[name] for name in ("id", "time", "encoding") if data.get(name)}
    pieces = read_pieces(evaluation_path(data, "notes"), {**spec.reading, **options})
    rows = _long_enough(pieces)
    echo(f"all {len(rows):,} pieces of at least two steps")
    return _split(spec, pieces, rows)


def _labels(pieces: Pieces) -> tuple[list[str], range | None]:
    """The names of the labels; and the pitches that they are, None where the columns are labels."""
    values = [piece[~np.isnan(piece)] for piece in pieces.values]
    if not any(map(len, values)):
        raise UserError("there is nothing to learn: no step of these pieces has a note")
    highest = max(float(piece.max()) for piece in values if len(piece))
    if pieces.columns and highest <= 1:
        return pieces.columns, None
    sounding = [piece[piece > 0] for piece in values]
    lowest = min((float(piece.min()) for piece in sounding if len(piece)), default=0)
    pitches = PIANO if PIANO[0] <= lowest and highest <= PIANO[-1] else ALL_PITCHES
    echo(f"read as pitches, MIDI numbers, 0 for silence; notes {pitches[0]} to {pitches[-1]}")
    to_roll(pieces.values, pieces.places, pitches)  # which refuses what is no pitch
    return [str(pitch) for pitch in pitches], pitches


def _long_enough(pieces: Pieces) -> np.ndarray:
    """The pieces with a step and a next one; the others are reported."""
    lengths = np.array([len(piece) for piece in pieces.values])
    rows = np.flatnonzero(lengths > 1)
    if not len(rows):
        raise UserError("a piece has at least two steps, one and the next; these have none: give longer ones")
    if n_short := len(lengths) - len(rows):
        echo(f"left out, with fewer than two steps: {n_short:,} of {len(lengths):,} pieces")
    return rows


def _split_rows(pieces: Pieces, val_share: float, test_share: float, seed: int) -> list[np.ndarray]:
    """The pieces of train, val and test: as the files say, else carved out of those for training."""
    rows = _long_enough(pieces)
    splits = np.array(pieces.splits)[rows]
    train, val, test = (rows[np.isin(splits, of)] for of in (("train", ""), ("val",), ("test",)))
    n = len(train)
    if n < 1 + (not len(val)) + (not len(test)):
        raise UserError(f"each split has at least one piece; {n} to carve them out of are too few: give more")
    if not len(test):
        train, test = _carve(train, test_share * n, seed)
    if not len(val):
        train, val = _carve(train, val_share * n, seed)
    return [train, val, test]


def _carve(rows: np.ndarray, size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rest, carved = carve(len(rows), min(max(1, round(size)), len(rows) - 1), seed=seed)
    return rows[rest], rows[carved]


def _split(spec: DataSpec, pieces: Pieces, rows: np.ndarray) -> TensorSplit:
    """The steps but the last of each piece, and as target the steps but the first, NaN after the end."""
    places = [pieces.places[row] for row in rows]
    rolls = as_labels(spec, [pieces.values[row] for row in rows], places)
    sequence, lengths = check_and_pad([roll[:-1] for roll in rolls], places, spec.inputs["sequence"])
    target = pad_sequence([torch.from_numpy(roll[1:]) for roll in rolls], True, torch.nan)
    return TensorSplit(sequence=sequence, lengths=lengths, target=target)


def _check_labels(splits: Splits) -> None:
    """Raise UserError where no label of the training split changes."""
    target = splits.train.columns["target"]  # type: ignore[union-attr]
    steps = target[~target[..., 0].isnan()]
    if (steps == steps[0]).all():
        raise UserError("there is nothing to learn: all steps of the training pieces have the same labels")
