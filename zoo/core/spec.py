"""What a data set offers and a model needs, as plain JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.core.errors import UserError

IGNORE_INDEX = -100  # the target of a padded step
LARGEST = 1 << 24  # entries of an axis whose size is fixed
DTYPES = ("float32", "float64", "uint8", "int64")
KINDS = ("numeric", "boolean", "categorical", "date")
STEPS = 1 << 12  # values between the lowest and the highest that float32 has to tell apart


@dataclass(frozen=True)
class Input:
    """One tensor of a batch, described without its batch axis.

    Args:
        shape: size of each axis; None where it varies from sample to sample (padded within a batch).
        dtype: torch's name of the element type, such as "float32", "uint8" or "int64"; "float64" where the mean has to
            be taken off before values are rounded, see `float_type`.
        axes: a name for each axis. Models ask for sizes by these names, such as `in_channels` or `n_numeric`.
        scaled_axis: the axis along which the model standardises, one mean and deviation per entry; None leaves the
            values as they are.
        cardinalities: of integer codes, how many values each entry of the last axis can take, or the one number for
            codes without such an axis. Code 0 is a value that training has not seen.
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
        """Whether the elements are floating numbers, of either width."""
        return self.dtype.startswith("float")


def float_type(*ranges: Sequence[float]) -> str:
    """The dtype of values that lie in `ranges`, each (lowest, highest) or empty: "float64" where float32 tells too few
    of one range apart, such as 30,000,000 ± 5; else "float32"."""
    return "float64" if any(_is_coarse(*one) for one in ranges if len(one)) else "float32"


def _is_coarse(low: float, high: float) -> bool:
    spacing = math.ldexp(1.0, math.frexp(max(abs(low), abs(high)))[1] - 24)  # of float32 there
    return 0 < high - low < STEPS * spacing


@dataclass(frozen=True)
class Column:
    """One column of a table as a file holds it, or one channel of a series.

    Args:
        name: its heading.
        kind: "numeric", "boolean", "categorical" or "date".
        categories: of a categorical column, the values seen in training, as text; the first has code 1.
        missing: whether values are missing in the training split.
        range: the lowest and the highest number in the training split, a date as days since 1970; () where there is
            none, or in files of older versions. It describes the values and not their kind, so columns that differ in
            it alone are equal.
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
    """A data set as a model sees it. Travels with the weights, so that a file alone answers raw input.

    Args:
        name: the data set's registry name.
        task: the registry name of the task, such as "classification".
        inputs: the tensors of a batch; the keys are parameter names of the model's `forward`.
        n_outputs: numbers that a model gives per sample or step, such as a logit for each class.
        target: shape and type of one target; None in the shape is a target for each step of a sequence.
        target_name: what is predicted, with its unit if it has one.
        class_names: of the classes or labels that the outputs stand for, in their order; empty where they are values.
        columns: a table's columns, or a series' channels, in the order of the input; a plain name is a numeric one.
        reading: what turns raw input into the tensors of a batch, beside what the inputs say: options of their
            `zoo.data.readers`, such as the alphabet of text or the rate of sound.
        licence: terms under which the data may be used.
        source: where the data comes from.
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

    def __post_init__(self) -> None:
        columns = (Column(column) if isinstance(column, str) else column for column in self.columns)
        object.__setattr__(self, "columns", tuple(columns))
        if isinstance(self.class_names, tuple):  # a list, as in the spec of a file, so that the two are equal
            object.__setattr__(self, "class_names", list(self.class_names))

    @property
    def sizes(self) -> dict[str, Any]:
        """Every size a model may ask for: the named axes of fixed size, `cardinalities` of integer codes, `n_outputs`,
        and `per_step`, whether each step of a sequence has a target of its own."""
        axes = {
            axis: size
            for an_input in self.inputs.values()
            for axis, size in zip(an_input.axes, an_input.shape, strict=True)
            if size is not None
        }
        codes = [an_input.cardinalities for an_input in self.inputs.values() if an_input.cardinalities]
        cardinalities = {"cardinalities": codes[0]} if codes else {}
        return {**axes, **cardinalities, "n_outputs": self.n_outputs, "per_step": None in self.target.shape}

    @property
    def column_names(self) -> list[str]:
        """The columns' headings."""
        return [column.name for column in self.columns]

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values; `from_json` reverses it."""
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
        """The spec that `to_json` wrote. UserError for anything else, such as of a file that is not the zoo's."""
        try:
            inputs = {name: Input(**an_input) for name, an_input in values["inputs"].items()}
            columns = [Column(**column) for column in values["columns"]]
            spec = cls(**{**values, "inputs": inputs, "target": Input(**values["target"]), "columns": columns})
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"this is no spec of data, or of another version of the zoo: {error}") from error
        for what, holds in _rules(spec).items():
            if not holds:
                raise UserError(f"a spec of data says {what}; this one does not")
        return spec


def _rules(spec: DataSpec) -> dict[str, bool]:
    """What holds of every spec, and whether it does of this one."""
    texts = [spec.name, spec.task, spec.target_name, spec.licence, spec.source, *spec.inputs]
    names = spec.class_names if isinstance(spec.class_names, list | tuple) else [None]
    return {
        "its name, task and source in text": all(map(_is_text, texts)),
        "its inputs' shapes and types": bool(spec.inputs) and all(map(_is_input, (*spec.inputs.values(), spec.target))),
        "its inputs' axes by name": all(len(one.axes) == len(one.shape) for one in spec.inputs.values()),
        "how many outputs there are": _is_size(spec.n_outputs) and spec.n_outputs > 0,
        "a class for each sample or step, or as many values as outputs": _is_target(spec.target, spec.n_outputs),
        "a name for each output, or none": len(names) in (0, spec.n_outputs) and all(map(_is_text, names)),
        "each column's name, kind, categories and range": all(map(_is_column, spec.columns)),
        "its reading by name": isinstance(spec.reading, Mapping),
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
        column.kind in KINDS
        and isinstance(column.missing, bool)
        and all(map(_is_text, texts))
        and _is_range(column.range)
    )


def _is_range(ends: Sequence[Any]) -> bool:
    numbers = all(type(end) in (int, float) and math.isfinite(end) for end in ends)
    return not ends or (len(ends) == 2 and numbers and ends[0] <= ends[1])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)  # half a pair


def _is_target(target: Input, n_outputs: int) -> bool:
    if target.dtype == "int64":
        return target.shape in ((), (None,))
    return all(map(_is_size, target.shape)) and math.prod(size or 0 for size in target.shape) == n_outputs


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _plain(part: Input | Column) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(part).items()}
