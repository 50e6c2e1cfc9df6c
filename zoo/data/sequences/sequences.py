"""Sequences of the user's own: arrays, tables of steps, .ts files, or folders of recordings, with a label each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.hashing import input_hashes_in_memory
from zoo.data.leakage import report_duplicates
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.formats import read_file
from zoo.data.sequences.files.row_table import LAYOUTS
from zoo.data.sequences.files.samples import Sequences, cell_options
from zoo.data.sequences.files.sound import check_sound
from zoo.data.sequences.files.train_test import find_pair, measured_path, set_name
from zoo.data.sequences.inputs.padding import as_trained, cut
from zoo.data.sequences.splits.labelled import check_options, divide, measured_split, sequence_splits
from zoo.data.splits import Split, Splits

FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where there is no test file",
    inputs="sequence of any lengths and channels; recordings as log-mel spectrograms",
    licence="that of the files",
    source="files of the user's own",
)


@DATA.register("sequences")
def sequences(
    *,
    path: str | None = None,
    test_path: str | None = None,
    target: str | None = None,
    id: str | None = None,
    time: str | Sequence[str] | None = None,
    task: str | None = None,
    layout: str | None = None,
    headings: bool | None = None,
    missing: Sequence[str] | None = None,
    not_missing: Sequence[str] | None = None,
    encoding: str | None = None,
    max_steps: int | None = None,
    channels_first: bool = False,
    rate: int | None = None,
    n_mels: int = 40,
    window: float = 25.0,
    hop: float = 10.0,
    val_share: float = 0.2,
    test_share: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """Whole sequences with a class or a number each, split at random where no test file is given or found.

    Args:
        path: an .npz or .npy of `X` (n, time, n_channels), `y` (n,) and perhaps `lengths` (n,); a .csv, .tsv or
            .parquet with a row for each step or for each sequence; a .ts file; or a folder of recordings,
            <class>/*.wav, perhaps in train/ and test/.
        test_path: the same of the test split; None takes <name>_TEST.ts beside <name>_TRAIN.ts, whatever they end in.
        target: the array or column of labels, where its name is no usual one.
        id: the column that says which sequence a row belongs to.
        time: the column that orders the rows of a sequence, or several, such as [Date,Time].
        task: "classification" or "regression"; None infers it, and says so.
        layout: of a table: "long" where a row is a step, "wide" where it is a sequence; None tells it by the headings.
        headings: whether a table's first line holds headings; None tells it.
        missing: marks of missing values in a table, beside the empty cell, NA, ?, - and the like.
        not_missing: of these usual marks, those that are values in columns of text, such as a class NA.
        encoding: of files of text that are not UTF-8, such as shift_jis; None is Windows-1252.
        max_steps: longer sequences are cut after as many.
        channels_first: read arrays as (n, n_channels, time), here and in new files.
        rate: Hz that recordings are brought to; None takes that of the first.
        n_mels: bands of the spectrogram of recordings.
        window: milliseconds that a step of it sees.
        hop: milliseconds from step to step.
        val_share: share of the sequences that validate.
        test_share: share that test, where there is no test file.
        split_seed: of the splits.
    """
    check_shares(val_share, test_share)
    check_sound(n_mels=n_mels, window=window, hop=hop)
    counts = {"max_steps": max_steps, "rate": rate}
    check_options("sequences", path, task, **{name: n for name, n in counts.items() if n is not None})
    if layout not in (None, *LAYOUTS):
        raise unknown_name("layout of a table (data.layout)", layout, LAYOUTS)
    train_path, tested = find_pair(Path(path or "").expanduser(), test_path)
    reading: dict[str, Any] = {"id": id, "time": time, "target": target, "channels_first": channels_first}
    cells = cell_options(missing, not_missing, encoding)
    reading |= {"layout": layout, "headings": headings, **cells}
    reading |= {"rate": rate, "n_mels": n_mels, "window": window, "hop": hop}
    train = _read(train_path, reading, max_steps)
    test = None
    if tested:
        as_train = {**reading, **train.reading, "columns": train.columns}
        test = _read(tested, as_train, max_steps)
    divided = divide(
        train,
        test,
        val=val_share,
        test_share=test_share,
        split_seed=split_seed,
        target=str(train.reading.get("target", "class" if target is None else target)),
        task=task,
    )
    splits = sequence_splits(
        divided,
        name=set_name(path),
        reading=train.reading | cells | ({"max_steps": max_steps} if max_steps else {}),
        licence=FACTS.licence,
        source=FACTS.source,
    )
    report_duplicates(*map(input_hashes_in_memory, (splits.train, splits.val, splits.test)))
    return splits


@LABELLED_READERS.register("sequences")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Every sequence with a label of another file or folder, as a model with `spec` was trained to read them."""
    if "sequence" not in spec.inputs:
        raise UserError(f"data=sequences has sequences; this model takes {', '.join(spec.inputs)}")
    path = measured_path(data, "sequences")
    named = {field: data[field] for field in ("id", "time", "target", "encoding") if data.get(field) is not None}
    reading = {**spec.reading, **named, "columns": spec.column_names}
    part = read_file(path, reading, labelled=True)
    return measured_split(spec, part, lambda part: as_trained(spec, part.values, part.places))


def _read(path: Path, reading: Mapping[str, Any], max_steps: int | None) -> Sequences:
    part = read_file(path, reading, labelled=True)
    return replace(part, values=cut(part.values, max_steps))
