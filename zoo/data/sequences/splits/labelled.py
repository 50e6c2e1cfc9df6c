"""Splits of labelled sequences, whatever they were read from."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import Column, DataSpec, Input, float_type
from zoo.data.columns.arrow import is_missing, is_text
from zoo.data.columns.numbers import finite_range
from zoo.data.columns.quality import merged_categories, report_remarks
from zoo.data.columns.targets import ArrowTargets, choose_task
from zoo.data.columns.text import as_text
from zoo.data.random_split import carve
from zoo.data.sequences.files.samples import Sequences
from zoo.data.sequences.files.train_test import no_path
from zoo.data.sequences.inputs.padding import checked, first_places, sequence_inputs
from zoo.data.splits import Batch, Splits, TensorSplit
from zoo.tasks import TASKS, create_task


class Divided(NamedTuple):
    """Labelled samples and how they are split.

    Attributes:
        parts: all samples; or those of the training file, and those of the test file.
        targets: of each part.
        rows: of the training and the validation split in the first part, and of the test split in the last.
        fields: what a spec says of the target.
    """

    parts: list[Sequences]
    targets: list[Tensor]
    rows: tuple[np.ndarray, np.ndarray, np.ndarray]
    fields: dict[str, Any]

    def trained(self) -> list[Any]:
        """The samples of the training split."""
        return [self.parts[0].values[row] for row in self.rows[0]]

    def splits(self, encode: Callable[[Sequences], Batch], **spec: Any) -> Splits:
        """The splits, whose inputs `encode` makes of each part; `spec` are the other fields of their DataSpec."""
        whole = [
            TensorSplit(**encode(part), target=target).with_hashes(part.keys)
            for part, target in zip(self.parts, self.targets, strict=True)
        ]
        train, val, test = self.rows
        fields = {"reading": self.parts[0].reading, **self.fields, **spec}
        return Splits(DataSpec(**fields), whole[0].subset(train), whole[0].subset(val), whole[-1].subset(test))


def check_options(name: str, path: str | None, task: str | None, **counts: int) -> None:
    """Raise UserError unless data=`name` has a path, a task that there is, and counts from 1."""
    if not path:
        raise no_path(name)
    if task is not None:
        TASKS.get(task)
    for option, count in counts.items():
        if not (type(count) is int and count >= 1):
            raise UserError(f"data.{option} is a whole number from 1; got {count}")


def divide(
    train: Sequences,
    test: Sequences | None = None,
    *,
    val: int | float,
    test_share: float = 0.2,
    split_seed: int,
    target: str = "class",
    task: str | None = None,
) -> Divided:
    """Split the samples that have a label at random, with the shares of the classes.

    Args:
        train: all samples, or those of the training split where there is a `test`.
        test: the test split; None carves it out of `train`.
        val: samples of `train` to validate with, or their share if below 1.
        test_share: share of `train` to test with, where there is no `test`.
        split_seed: of what is carved out.
        target: what is predicted.
        task: the name of a task of `zoo.tasks`; None takes the file's word, or infers it and says so.
    """
    given = [part for part in (train, test) if part is not None]
    parts = [_labelled(part) for part in given]
    column = _target_column(target, parts)
    task = task or train.task or choose_task([column])
    learnt = TASKS.get(task)
    if learnt.has_classes:
        texts = [part.labels for part in given if part.labels is not None and is_text(part.labels.type)]
        report_remarks((rule, f"'{target}' ({what})") for labels in texts for rule, what in merged_categories(labels))
    values, fields = learnt.encode([column])
    targets = list(values.split([len(part.values) for part in parts]))
    classes = targets[0].numpy() if learnt.stratified else None
    rows, tested = np.arange(len(targets[0])), np.arange(len(targets[-1]))
    n_val = val if val >= 1 else max(1, round(val * len(rows)))
    if test is None:
        rows, tested = _carve(rows, max(1, round(test_share * len(rows))), split_seed, classes)
    rest, validated = _carve(rows, n_val, split_seed, classes)
    return Divided(parts, targets, (rest, validated, tested), {"task": task, "target_name": target, **fields})


def sequence_splits(divided: Divided, **spec: Any) -> Splits:
    """The splits of sequences of any lengths; `spec` are the other fields of their DataSpec."""
    columns = divided.parts[0].columns
    ranges = _ranges(divided.trained(), len(columns))
    inputs = sequence_inputs(len(columns), dtype=float_type(*ranges))
    encode = functools.partial(_encoded, an_input=inputs["sequence"])
    channels = [Column(channel, range=one) for channel, one in zip(columns, ranges, strict=True)]
    return divided.splits(encode, **{"inputs": inputs, "columns": channels, **spec})


def measured_split(spec: DataSpec, part: Sequences, encode: Callable[[Sequences], Batch]) -> TensorSplit:
    """The samples of a file that have a label, which `encode` turns into what a model with `spec` takes."""
    part = _labelled(part)
    target = create_task(spec).targets([_target_column(spec.target_name, [part])])
    echo(f"all {len(target):,} samples that have a label")
    return TensorSplit(**encode(part), target=target).with_hashes(part.keys)


def _carve(rows: np.ndarray, n: int | float, seed: int, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """`rows` less `n` of them, and those `n`, which keep the shares of the classes."""
    if n >= len(rows):
        raise UserError(f"each split has a sample at least; {len(rows)} are too few to carve {n} out: give more")
    rest, carved = carve(len(rows), n, seed=seed, stratify=None if classes is None else classes[rows])
    return rows[rest], rows[carved]


def _target_column(name: str, parts: Sequence[Sequences]) -> ArrowTargets:
    """The labels of all parts as one column of targets; the first part has the classes."""
    places = [place for part in parts for place in part.places]
    labels = pa.concat_arrays([part.labels for part in parts])
    first = np.arange(len(parts[0].values))
    return ArrowTargets(name, labels, places.__getitem__, train=first, class_rows=first)


def _labelled(part: Sequences) -> Sequences:
    """The sequences that have a label, as text; the others are left out, and that is said."""
    assert part.labels is not None
    labels = as_text(part.labels)
    gaps = is_missing(labels) | (labels.fill_null("").to_numpy(zero_copy_only=False) == "")
    if gaps.any():
        echo(f"left out, without a label: {gaps.sum()} of {len(gaps)} samples ({first_places(part.places, gaps)})")
    kept = np.flatnonzero(~gaps)
    if not len(kept):
        raise UserError("there are no samples with a label in this file; give one with some")
    return replace(
        part,
        values=[part.values[row] for row in kept],
        labels=labels.take(pa.array(kept)),
        places=[part.places[row] for row in kept],
        keys=None if part.keys is None else part.keys[kept],
    )


def _ranges(values: Sequence[np.ndarray], n_channels: int) -> list[tuple[float, ...]]:
    """The lowest and the highest value of each channel of sequences."""
    steps = np.concatenate([one for one in values if one.shape[1:] == (n_channels,)] or [np.empty((0, n_channels))])
    return [finite_range(channel) for channel in steps.T]


def _encoded(part: Sequences, an_input: Input) -> Batch:
    sequence, lengths = checked(part.values, part.places, an_input.shape[1] or 0, an_input.dtype)
    return {"sequence": sequence, "lengths": lengths}
