"""Splits of labelled sequences, whatever they were read from."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import Column, DataSpec, Input, float_type
from zoo.data.columns.arrow import is_missing, is_text
from zoo.data.columns.cell_errors import refuse_cells
from zoo.data.columns.infer import infer_task
from zoo.data.columns.numbers import as_numbers, exceeds_float32, finite_range
from zoo.data.columns.quality import merged_categories, report_remarks
from zoo.data.columns.text import as_text, sort_texts
from zoo.data.random_split import carve
from zoo.data.sequences.files.samples import Sequences
from zoo.data.sequences.files.train_test import no_path
from zoo.data.sequences.inputs.padding import checked, first_places, sequence_inputs
from zoo.data.splits import Batch, Splits, TensorSplit

TASKS = ("classification", "regression")


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
    if task not in (None, *TASKS):
        raise unknown_name("task (data.task)", task, TASKS)
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
        task: "classification" or "regression"; None takes the file's word, or infers it and says so.
    """
    given = [part for part in (train, test) if part is not None]
    parts = [_labelled(part) for part in given]
    task = task or train.task or infer_task(target, parts[0].labels, np.arange(len(parts[0].values)), parts[0].place)
    if task == "classification":
        texts = [part.labels for part in given if part.labels is not None and is_text(part.labels.type)]
        report_remarks((rule, f"'{target}' ({what})") for labels in texts for rule, what in merged_categories(labels))
    targets, fields = _targets(target, task, parts)
    classes = targets[0].numpy() if task == "classification" else None
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
    if spec.class_names:
        target = _codes(part, spec.class_names)
    else:
        target = torch.from_numpy(_amounts(spec.target_name, part).astype(spec.target.dtype))[:, None]
    echo(f"all {len(target):,} samples that have a label")
    return TensorSplit(**encode(part), target=target).with_hashes(part.keys)


def _carve(rows: np.ndarray, n: int | float, seed: int, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """`rows` less `n` of them, and those `n`, which keep the shares of the classes."""
    if n >= len(rows):
        raise UserError(f"each split has a sample at least; {len(rows)} are too few to carve {n} out: give more")
    rest, carved = carve(len(rows), n, seed=seed, stratify=None if classes is None else classes[rows])
    return rows[rest], rows[carved]


def _targets(target: str, task: str, parts: Sequence[Sequences]) -> tuple[list[Tensor], dict[str, Any]]:
    """The target of each sequence of each part, and what the spec says of it; the first part has the classes."""
    if task == "regression":
        values = [_amounts(target, part) for part in parts]
        low, high = finite_range(values[0])
        if low == high:
            raise UserError(f"there is nothing to learn: '{target}' is {low:g} for every sequence")
        an_output = Input((1,), float_type((low, high)), scaled_axis=0)
        tensors = [torch.from_numpy(one.astype(an_output.dtype))[:, None] for one in values]
        return tensors, {"n_outputs": 1, "target": an_output}
    names = sort_texts(parts[0].labels.unique())  # type: ignore[union-attr]
    if len(names) < 2:
        raise UserError(f"two classes at least are to be told apart; '{target}' is always '{names[0]}'")
    return [_codes(part, names) for part in parts], {"n_outputs": len(names), "class_names": names}


def _codes(part: Sequences, names: Sequence[str]) -> Tensor:
    codes = pc.index_in(part.labels, pa.array(names))
    rule = f"a test has no class that training has not seen; those are {', '.join(names[:8])}"
    refuse_cells(rule, part.labels, is_missing(codes), part.place, "correct it, or leave it out")
    return torch.tensor(codes.to_numpy(), dtype=torch.int64)


def _amounts(target: str, part: Sequences) -> np.ndarray:
    numbers = as_numbers(part.labels)
    rule = f"regression learns finite numbers; so '{target}'"
    refuse_cells(rule, part.labels, np.isnan(numbers) | exceeds_float32(numbers), part.place, "correct it")
    return numbers


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
