"""What a data set offers and a model needs, as plain JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Input:
    """One tensor of a batch, described without its batch axis.

    Args:
        shape: size of each axis; None where it varies from sample to sample (padded within a batch).
        dtype: torch's name of the element type, such as "float32", "uint8" or "int64".
        axes: a name for each axis. Models ask for sizes by these names, such as `in_channels` or `n_numeric`.
        scaled_axis: the axis along which the model standardises, one mean and deviation per entry; None leaves the
            values as they are.
    """

    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    axes: tuple[str, ...] = ()
    scaled_axis: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "axes", tuple(self.axes))


@dataclass(frozen=True)
class DataSpec:
    """A data set as a model sees it. Travels with the weights, so that a file alone answers raw input.

    Args:
        name: the data set's registry name.
        task: the registry name of the task, such as "classification".
        inputs: the tensors of a batch; the keys are parameter names of the model's `forward`.
        n_outputs: classes, or regressed values, per sample.
        target: shape and type of one target; floating targets are standardised inside the model.
        target_name: what is predicted, with its unit if it has one.
        class_names: the classes in the order of the model's outputs.
        columns: names of a table's columns or a series' channels, in the order of the input.
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
    columns: Sequence[str] = ()
    licence: str = ""
    source: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        """Every size a model may ask for: the named axes of fixed size, and `n_outputs`."""
        axes = {
            axis: size
            for an_input in self.inputs.values()
            for axis, size in zip(an_input.axes, an_input.shape, strict=True)
            if size is not None
        }
        return {**axes, "n_outputs": self.n_outputs}

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values; `from_json` reverses it."""
        return {
            **asdict(self),
            "inputs": {name: _plain(an_input) for name, an_input in self.inputs.items()},
            "target": _plain(self.target),
            "class_names": list(self.class_names),
            "columns": list(self.columns),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "DataSpec":
        """The spec that `to_json` wrote."""
        inputs = {name: Input(**an_input) for name, an_input in values["inputs"].items()}
        return cls(**{**values, "inputs": inputs, "target": Input(**values["target"])})


def _plain(an_input: Input) -> dict[str, Any]:
    return {**asdict(an_input), "shape": list(an_input.shape), "axes": list(an_input.axes)}
