"""A user's labelled sequences: arrays, tables, .ts files, or folders of recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.leakage import report_duplicates
from zoo.data.random_split import check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.sequences.files.formats import read_file
from zoo.data.sequences.files.samples import Samples, cell_options
from zoo.data.sequences.files.sequence_table import LAYOUTS
from zoo.data.sequences.files.sound import check_sound
from zoo.data.sequences.files.train_test import data_set_name, evaluation_path, find_train_and_test
from zoo.data.sequences.inputs.padding import sequence_batch, truncate
from zoo.data.sequences.splits.labelled import Shares, check_options, divide, evaluation_split, sequence_splits
from zoo.data.splits import Split, Splits, report_sizes
from zoo.tasks import TASKS

FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where there is no test file",
    inputs="sequence of any lengths and channels; recordings as log-mel spectrograms",
    licence="that of the files",
    source="your files",
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
    """Load sequences with a class or a number each, or a class for each step.

    They are split at random where no test file is given or found.

    Args:
        path: an .npz or .npy of `X` (n, time, n_channels), `y` (n,), or (n, time) for each step, and perhaps `lengths`
            (n,); a .csv, .tsv or
            .parquet with a row for each step or for each sequence; a .ts file; or a folder of recordings,
            <class>/*.wav, perhaps in train/ and test/.
        test_path: the same of the test split; None takes <name>_TEST.ts beside <name>_TRAIN.ts, whatever they end in.
        target: the array or column of labels; None finds one of a usual name.
        id: the column that says which sequence a row belongs to.
        time: the column that orders the rows of a sequence, or several, such as [Date,Time].
        task: "classification" or "regression", or "tagging" where each step has a label of its own; None infers it and
            reports that.
        layout: of a table: "long" where a row is a step, "wide" where it is a sequence; None goes by the headings.
        headings: whether a table's first line holds headings; None detects it.
        missing: marks of missing values in a table, in addition to defaults such as the empty cell, NA, ? and -.
        not_missing: default marks that are values in columns of text, such as a class NA.
        encoding: of files of text that are not UTF-8, such as shift_jis; None is Windows-1252.
        max_steps: steps after which longer sequences are cut.
        channels_first: read arrays as (n, n_channels, time), here and in new files.
        rate: Hz to which recordings are resampled; None is the rate of the first.
        n_mels: bands of the spectrogram of recordings.
        window: milliseconds that a step of it covers.
        hop: milliseconds from step to step.
        val_share: share of the sequences to validate with.
        test_share: share to test with, where there is no test file.
        split_seed: of the random split.
    """
    check_shares(val_share, test_share)
    check_sound(n_mels=n_mels, window=window, hop=hop)
    counts = {"max_steps": max_steps, "rate": rate}
    check_options("sequences", path, task, **{name: n for name, n in counts.items() if n is not None})
    if layout not in (None, *LAYOUTS):
        raise unknown_name("layout of a table (data.layout)", layout, LAYOUTS)
    train_path, test_path_found = find_train_and_test(Path(path or "").expanduser(), test_path)
    cells = cell_options(missing, not_missing, encoding)
    reading: dict[str, Any] = {
        "id": id,
        "time": time,
        "target": target,
        "per_step": TASKS.get(task).per_step if task else None,
        "layout": layout,
        "headings": headings,
        **cells,
    }
    reading |= {"channels_first": channels_first, "rate": rate, "n_mels": n_mels, "window": window, "hop": hop}
    train, test = _read(train_path, reading, max_steps), None
    if test_path_found:
        options = {**reading, **train.reading, "columns": train.columns, "per_step": train.per_step}
        test = _read(test_path_found, options, max_steps)
    divided = divide(
        train,
        test,
        Shares(val_share, test_share, split_seed),
        target=str(train.reading.get("target", "class" if target is None else target)),
        task=task,
    )
    splits = sequence_splits(
        divided,
        name=data_set_name(path),
        reading=train.reading | cells | ({"max_steps": max_steps} if max_steps else {}),
        licence=FACTS.licence,
        source=FACTS.source,
    )
    report_sizes(splits, "sequences")
    report_duplicates(splits)
    return splits


@LABELLED_READERS.register("sequences")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read every labelled sequence of another file or folder, to measure a model with `spec` on."""
    if "sequence" not in spec.inputs:
        raise UserError(f"data=sequences has sequences; this model takes {', '.join(spec.inputs)}")
    path = evaluation_path(data, "sequences")
    options = {field: data[field] for field in ("id", "time", "target", "encoding") if data.get(field) is not None}
    reading = {**spec.reading, **options, "columns": spec.column_names, "per_step": TASKS.get(spec.task).per_step}
    samples = _read(path, reading, spec.reading.get("max_steps"))
    return evaluation_split(spec, samples, lambda samples: sequence_batch(spec, samples.values, samples.places))


def _read(path: Path, reading: Mapping[str, Any], max_steps: int | None) -> Samples:
    samples = read_file(path, reading, labelled=True)
    labels = pc.list_slice(samples.labels, 0, max_steps) if max_steps and samples.per_step else samples.labels
    return replace(samples, values=truncate(samples.values, max_steps), labels=labels)
