"""Describe a data set to a model (inputs, target, classes, columns) in plain JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.core.errors import UserError

IGNORE_INDEX = -100  # the target of a padded step
MOST_PER_VALUE = 1000
MAX_SIZE = 1 << 24  # of an axis of fixed size
DTYPES = ("float32", "float64", "uint8", "int64")
COLUMN_KINDS = ("numeric", "boolean", "categorical", "date")
MIN_STEPS = 1 << 12  # values that float32 must distinguish between the lowest and the highest


@dataclass(frozen=True)
class Input:
    """One tensor of a batch, described without its batch axis.

    Args:
        shape: size of each axis; None if it varies between samples (padded within a batch).
        dtype: torch's name, such as "float32", "uint8" or "int64"; "float64" if the mean must be subtracted before
            values are rounded, see `float_type`.
        axes: a name for each axis. Models ask for sizes by these names, such as `in_channels` or `n_numeric`.
        scaled_axis: the axis along which the model scales, with statistics for each entry; None for values that are not
            scaled.
        cardinalities: of integer codes: the number of values of each entry of the last axis, or one number for codes
            without such an axis. Code 0 is a value that is not in the training split.
    """

    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    axes: tuple[str, ...] = ()
    scaled_axis: int | None = None
    cardinalities: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("shape", "axes", "cardinalities"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def is_floating(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype in ("float32", "float64")


def float_type(*ranges: Sequence[float]) -> str:
    """The dtype for values in `ranges`, each (lowest, highest) or empty: "float64" if float32 is too coarse for one of
    them, such as 30,000,000 ± 5; else "float32"."""
    return "float64" if any(_is_coarse(*one) for one in ranges if len(one)) else "float32"


def _is_coarse(low: float, high: float) -> bool:
    spacing = math.ldexp(1.0, math.frexp(max(abs(low), abs(high)))[1] - 24)  # of neighbouring float32 values
    return 0 < high - low < MIN_STEPS * spacing


@dataclass(frozen=True)
class Column:
    """One column of a table in a file, or one channel of a series.

    Args:
        name: its heading.
        kind: "numeric", "boolean", "categorical" or "date".
        categories: of a categorical column: its values in the training split, as text; the first has code 1.
        missing: whether values are missing in the training split.
        range: (lowest, highest) number in the training split, dates as days since 1970; () if there is none, or in
            files of older versions. Not compared: it describes the values, not the column.
    """

    name: str
    kind: str = "numeric"
    categories: tuple[str, ...] = ()
    missing: bool = False
    range: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("categories", "range"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True)
class DataSpec:
    """A data set as a model sees it. Stored in the weights file, so that the file alone suffices for raw input.

    Args:
        name: the data set's registry name.
        task: the registry name of the task, such as "classification".
        inputs: tensors of a batch; the keys are parameter names of the model's `forward`.
        n_outputs: numbers that a model gives per sample or step, such as a logit for each class.
        target: shape and dtype of one target; None in the shape is one target for each step of a sequence.
        target_name: what is predicted, with its unit if it has one.
        class_names: of the classes or labels that the outputs stand for, in their order; empty where they are values.
        columns: of a table, or channels of a series, in the order of the input; a plain name is a numeric column.
        reading: options of `zoo.data.readers` for turning raw input into a batch, such as the alphabet of a text or
            the sampling rate of sound.
        licence: terms under which the data may be used.
        source: origin of the data.
        n_per_value: numbers that a model gives for each value of the target: one, or those of `zoo.tasks.heads`.
        causal: where each step has a target: whether its output may depend on the steps up to it alone, as for the next
            token of a text; False where whole sequences are read before.
    """

    name: str
    task: str
    inputs: Mapping[str, Input]
    n_outputs: int
    target: Input = field(default_factory=lambda: Input(dtype="int64"))
    target_name: str = "class"
    class_names: Sequence[str] = ()
    columns: Sequence[Column] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    source: str = ""
    n_per_value: int = 1
    causal: bool = True

    def __post_init__(self) -> None:
        columns = (Column(column) if isinstance(column, str) else column for column in self.columns)
        object.__setattr__(self, "columns", tuple(columns))
        if isinstance(self.class_names, tuple):  # a list, as JSON gives, so that specs compare equal
            object.__setattr__(self, "class_names", list(self.class_names))

    @property
    def sizes(self) -> dict[str, Any]:
        """All sizes a model may ask for: named axes of fixed size, the target's too, `cardinalities` of integer codes,
        the `alphabet` of texts, whose first character is token 1, all `n_outputs`, `per_step`, whether each step of a
        sequence has its own target, `causal`, whether that depends on the steps up to it alone, `n_targets` classes,
        labels or values, and `target_kind`: "class" for one of classes, "labels" for a 0 or 1 for each label, else
        "values"."""
        axes = {
            axis: size
            for tensor in (*self.inputs.values(), self.target)
            for axis, size in zip(tensor.axes, tensor.shape, strict=False)  # a target's need no names
            if size is not None
        }
        codes = [an_input.cardinalities for an_input in self.inputs.values() if an_input.cardinalities]
        cardinalities = {"cardinalities": codes[0]} if codes else {}
        alphabet = {"alphabet": self.reading["alphabet"]} if isinstance(self.reading.get("alphabet"), str) else {}
        kind = "class" if not self.target.is_floating else "labels" if self.class_names else "values"
        per_step = None in self.target.shape
        of_target = {"per_step": per_step, "causal": per_step and self.causal, "n_targets": self.n_outputs}
        n_outputs = {"n_outputs": self.n_outputs * self.n_per_value, "target_kind": kind}
        return {**axes, **cardinalities, **alphabet, **of_target, **n_outputs}

    @property
    def input_shapes(self) -> str:
        """The shapes of the inputs as text, such as "image 3 x 32 x 32"; an axis that varies is "any"."""
        shapes = {
            name: ("any" if size is None else str(size) for size in one.shape) for name, one in self.inputs.items()
        }
        return ", ".join(" ".join((name, " x ".join(shape))).rstrip() for name, shape in shapes.items())

    @property
    def column_names(self) -> list[str]:
        """The columns' headings."""
        return [column.name for column in self.columns]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return {
            **asdict(self),
            "inputs": {name: _plain(an_input) for name, an_input in self.inputs.items()},
            "target": _plain(self.target),
            "class_names": list(self.class_names),
            "columns": [_plain(column) for column in self.columns],
            "reading": dict(self.reading),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "DataSpec":
        """Convert from the output of `to_json`. UserError for anything else, as in a file that is not the zoo's."""
        try:
            inputs = {name: Input(**an_input) for name, an_input in values["inputs"].items()}
            columns = [Column(**column) for column in values["columns"]]
            spec = cls(**{**values, "inputs": inputs, "target": Input(**values["target"]), "columns": columns})
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"not a spec of data, or one of another version of the zoo: {error}") from error
        for what, holds in _rules(spec).items():
            if not holds:
                raise UserError(f"a spec of data has {what}; this one does not")
        return spec


def _rules(spec: DataSpec) -> dict[str, bool]:
    """What every spec has, and whether this one does."""
    texts = [spec.name, spec.task, spec.target_name, spec.licence, spec.source, *spec.inputs]
    names = spec.class_names if isinstance(spec.class_names, list | tuple) else [None]
    return {
        "name, task and source as text": all(map(_is_text, texts)),
        "shapes and dtypes of its inputs": bool(spec.inputs)
        and all(map(_is_input, (*spec.inputs.values(), spec.target))),
        "a name for each axis of its inputs": all(len(one.axes) == len(one.shape) for one in spec.inputs.values()),
        "a number of outputs": _is_size(spec.n_outputs) and spec.n_outputs > 0,
        "a class for each sample or step, or a value for each output": _is_target(spec.target, spec.n_outputs),
        "numbers for each value": type(spec.n_per_value) is int
        and 0 < spec.n_per_value <= (MOST_PER_VALUE if spec.target.is_floating else 1),
        "whether it is causal, true or false": isinstance(spec.causal, bool),
        "a name for each output, or none": len(names) in (0, spec.n_outputs) and all(map(_is_text, names)),
        "name, kind, categories and range of each column": all(map(_is_column, spec.columns)),
        "its reading options by name": isinstance(spec.reading, Mapping),
    }


def _is_input(an_input: Input) -> bool:
    shape, axis = an_input.shape, an_input.scaled_axis
    return (
        all(size is None or _is_size(size) for size in shape)
        and an_input.dtype in DTYPES
        and all(isinstance(name, str) for name in an_input.axes)
        and (axis is None or (_is_size(axis) and axis < len(shape) and shape[axis] is not None))
        and len(an_input.cardinalities) in (0, 1, *shape[-1:])
        and all(map(_is_size, an_input.cardinalities))
    )


def _is_column(column: Column) -> bool:
    texts = (column.name, *column.categories)
    return (
        column.kind in COLUMN_KINDS
        and isinstance(column.missing, bool)
        and all(map(_is_text, texts))
        and _is_range(column.range)
    )


def _is_range(ends: Sequence[Any]) -> bool:
    numbers = all(type(end) in (int, float) and math.isfinite(end) for end in ends)
    return not ends or (len(ends) == 2 and numbers and ends[0] <= ends[1])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any(
        "\ud800" <= character <= "\udfff" for character in value
    )  # a lone surrogate


def _is_target(target: Input, n_outputs: int) -> bool:
    if target.dtype == "int64":
        return target.shape in ((), (None,))
    shape = target.shape[1:] if target.shape[:1] == (None,) else target.shape  # of a step, or of the sample
    return all(map(_is_size, shape)) and math.prod(size or 0 for size in shape) == n_outputs


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_SIZE


def _plain(part: Input | Column) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(part).items()}
