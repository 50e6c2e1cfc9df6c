"""Small models of every kind of data."""

import torch

import zoo
from zoo.core.spec import DataSpec, Input

SPECS = {
    "table": DataSpec(
        "table", "classification", {"numeric": Input((6,), "float32", ("n_numeric",), 0)}, 3, class_names="abc"
    ),
    "images": DataSpec(
        "images",
        "classification",
        {"image": Input((3, 28, 28), "uint8", ("in_channels", "image_height", "image_width"), 0)},
        3,
        class_names="abc",
    ),
    "sequences": DataSpec(
        "sequences",
        "classification",
        {"sequence": Input((None, 4), "float32", ("time", "n_channels"), 1), "lengths": Input((), "int64")},
        3,
        class_names="abc",
    ),
    "series": DataSpec(
        "series",
        "forecasting",
        {"sequence": Input((8, 1), "float32", ("time", "n_channels"), 1)},
        3,
        Input((3, 1), "float32", ("horizon", "n_channels"), 1),
        class_names=(),
    ),
    "texts": DataSpec(
        "texts",
        "classification",
        {"tokens": Input((None,), "int64", ("time",), cardinalities=(9,)), "lengths": Input((), "int64")},
        3,
        class_names="abc",
        reading={"alphabet": "ab c.def"},
    ),
}

KNOWN_AHEAD = DataSpec(  # a series that is forecast from what is known of the steps ahead too
    "known_ahead",
    "forecasting",
    {
        "sequence": Input((8, 2), "float32", ("time", "n_channels"), 1),
        "known": Input((11, 3), "float32", ("n_known_steps", "n_known"), 1),
    },
    6,
    Input((3, 2), "float32", ("horizon", "n_channels"), 1),
    reading={"date_column": None, "known": ["a", "b", "c"]},
)


def spec_of(name):
    """The data that a model takes."""
    return next(spec for spec in SPECS.values() if name in zoo.list_models(spec=spec))


def targets_of(name, n):
    """Targets of `n` samples of that data."""
    target = spec_of(name).target
    return torch.randn(n, *target.shape) if target.is_floating else torch.arange(n) % 3


def build(name, **kwargs):
    torch.manual_seed(0)
    return zoo.create_model(name, spec_of(name), **kwargs)
