"""Splits of sequences or texts with a class or a number each, whatever they were read from."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX, Column, DataSpec, Input, float_type
from zoo.data.columns.arrow import is_missing, is_text
from zoo.data.columns.cell_errors import Place
from zoo.data.columns.numbers import finite_range
from zoo.data.columns.quality import merged_categories, report_remarks
from zoo.data.columns.targets import ArrowTargets, choose_task
from zoo.data.random_split import carve
from zoo.data.sequences.files.samples import Samples
from zoo.data.sequences.files.train_test import missing_path
from zoo.data.sequences.inputs.padding import check_and_pad, sequence_inputs
from zoo.data.splits import Batch, Splits, TensorSplit
from zoo.tasks import TASKS, create_task


@dataclass(frozen=True)
class Shares:
    """How samples are split at random.

    Attributes:
        val: samples of the training file to validate with, or their share if below 1.
        test: share of the training file to test with, where there is no test file.
        seed: of the random split.
    """

    val: int | float
    test: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Divided:
    """Labelled samples and their splits.

    Attributes:
        files: all samples; or those of the training file, and those of the test file.
        targets: of each file.
        rows: of the training and the validation split in the first file, and of the test split in the last.
        fields: of the spec, on the target.
    """

    files: list[Samples]
    targets: list[Tensor]
    rows: tuple[np.ndarray, np.ndarray, np.ndarray]
    fields: dict[str, Any]

    def train_values(self) -> list[Any]:
        """The sequences or texts of the training split."""
        return [self.files[0].values[row] for row in self.rows[0]]

    def splits(self, encode: Callable[[Samples], Batch], **spec: Any) -> Splits:
        """Build the splits; `encode` turns samples into inputs, `spec` are the other fields of the DataSpec."""
        whole = [
            TensorSplit(**encode(samples), target=target).with_hashes(samples.keys)
            for samples, target in zip(self.files, self.targets, strict=True)
        ]
        train, val, test = self.rows
        fields = {"reading": self.files[0].reading, **self.fields, **spec}
        return Splits(DataSpec(**fields), whole[0].subset(train), whole[0].subset(val), whole[-1].subset(test))


def check_options(name: str, path: str | None, task: str | None, **counts: int) -> None:
    """Raise UserError unless data=`name` has a path, a known task, and counts of at least 1."""
    if not path:
        raise missing_path(name)
    if task is not None:
        TASKS.get(task)
    for option, count in counts.items():
        if not (type(count) is int and count >= 1):
            raise UserError(f"data.{option} is a whole number from 1; got {count}")


def divide(
    train: Samples, test: Samples | None, shares: Shares, *, target: str = "class", task: str | None = None
) -> Divided:
    """Split the labelled samples at random, stratified by class.

    Args:
        train: all samples, or those of the training split where there is a `test`.
        test: the test split; None carves it out of `train`.
        shares: of the splits, and their seed.
        target: name of what is predicted.
        task: the name of a task of `zoo.tasks`; None goes by the file, or infers it and reports that.
    """
    files = [samples for samples in (train, test) if samples is not None]
    labelled = [samples.drop_unlabelled() for samples in files]
    column = _target_column(target, labelled)
    task = task or train.task or choose_task([column], per_step=train.per_step)
    task_class = TASKS.get(task)
    if task_class.per_step != train.per_step:
        one, other = ("each step", "each sequence")[:: 1 if task_class.per_step else -1]
        raise UserError(
            f"task {task} learns a label for {one}; this file has one for {other}\na label for each step is a column "
            "of a table with a row for each step, or `y` (n, time) of arrays"
        )
    if task_class.has_classes:
        _report_merged_labels(files, target)
    values, fields = task_class.encode([column])
    targets = _targets(values, labelled)
    classes = targets[0].numpy() if task_class.stratified else None
    rows, test_rows = np.arange(len(targets[0])), np.arange(len(targets[-1]))
    n_val = shares.val if shares.val >= 1 else max(1, round(shares.val * len(rows)))
    if test is None:
        rows, test_rows = _carve(rows, max(1, round(shares.test * len(rows))), shares.seed, classes)
    train_rows, val_rows = _carve(rows, n_val, shares.seed, classes)
    fields = {"task": task, "target_name": target, **fields}
    return Divided(labelled, targets, (train_rows, val_rows, test_rows), fields)


def sequence_splits(divided: Divided, **spec: Any) -> Splits:
    """Build the splits of sequences of any lengths; `spec` are the other fields of the DataSpec."""
    names = divided.files[0].columns
    ranges = _ranges(divided.train_values(), len(names))
    inputs = sequence_inputs(len(names), dtype=float_type(*ranges))
    encode = functools.partial(_encode, an_input=inputs["sequence"])
    columns = [Column(name, range=limits) for name, limits in zip(names, ranges, strict=True)]
    return divided.splits(encode, **{"inputs": inputs, "columns": columns, **spec})


def evaluation_split(spec: DataSpec, samples: Samples, encode: Callable[[Samples], Batch]) -> TensorSplit:
    """Build a split of the labelled samples of a file, with the inputs and classes of a trained model's spec."""
    samples = samples.drop_unlabelled()
    (target,) = _targets(create_task(spec).targets([_target_column(spec.target_name, [samples])]), [samples])
    echo(f"all {len(target):,} samples that have a label")
    return TensorSplit(**encode(samples), target=target).with_hashes(samples.keys)


def _report_merged_labels(files: Sequence[Samples], target: str) -> None:
    """Report labels that differ only in spaces or the like, and so are one class."""
    columns = [samples.label_column for samples in files if samples.labels is not None]
    texts = [column for column in columns if is_text(column.type)]
    report_remarks((rule, f"'{target}' ({what})") for labels in texts for rule, what in merged_categories(labels))


def _carve(rows: np.ndarray, n: int | float, seed: int, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Split `rows` into the rest and `n` carved ones, stratified by the classes of all samples."""
    if n >= len(rows):
        raise UserError(f"each split has at least one sample; {len(rows)} are too few to carve {n} out: give more")
    rest, carved = carve(len(rows), n, seed=seed, stratify=None if classes is None else classes[rows])
    return rows[rest], rows[carved]


def _target_column(name: str, files: Sequence[Samples]) -> ArrowTargets:
    """The labels of all files as one column of targets; classes are those of the first file."""
    columns = [samples.label_column for samples in files]
    first = np.flatnonzero(~is_missing(columns[0]))
    return ArrowTargets(name, pa.concat_arrays(columns), _place(files), train=first, class_rows=first)


def _place(files: Sequence[Samples]) -> Place:
    """Name the samples of all files by their number, or the steps of all samples."""
    places = [place for samples in files for place in samples.places]
    if not files[0].per_step:
        return places.__getitem__
    starts = np.cumsum([0, *(len(one) for samples in files for one in samples.values)])

    def place(row: int) -> str:
        sample = int(np.searchsorted(starts, row, "right")) - 1
        return f"step {row - starts[sample] + 1} of {places[sample]}"

    return place


def _targets(values: Tensor, files: Sequence[Samples]) -> list[Tensor]:
    """The targets of each file, (n, ...): of the samples as they are, or those of all steps padded to (n, longest)."""
    n_samples = [len(samples.values) for samples in files]
    if not files[0].per_step:
        return list(values.split(n_samples))
    rows = iter(values.split([len(one) for samples in files for one in samples.values]))
    return [pad_sequence(list(islice(rows, n)), True, IGNORE_INDEX) for n in n_samples]


def _ranges(sequences: Sequence[np.ndarray], n_channels: int) -> list[tuple[float, ...]]:
    """The lowest and the highest value of each channel."""
    fitting = [sequence for sequence in sequences if sequence.shape[1:] == (n_channels,)]
    steps = np.concatenate(fitting or [np.empty((0, n_channels))])  # (n_steps, n_channels)
    return [finite_range(channel) for channel in steps.T]


def _encode(samples: Samples, an_input: Input) -> Batch:
    sequence, lengths = check_and_pad(samples.values, samples.places, an_input)
    return {"sequence": sequence, "lengths": lengths}
