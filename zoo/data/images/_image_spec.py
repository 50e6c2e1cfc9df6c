"""The spec of a set of images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from zoo.core.spec import DataSpec, Input
from zoo.data import Facts
from zoo.data.images._decode import Shape
from zoo.data.images._drawings import measure_style


def image_spec(name: str, shape: Shape, class_names: Sequence[str], facts: Facts, **fields: Any) -> DataSpec:
    """The spec of raw images (channels, height, width) in uint8, 0 to 255, with one class each, unless further fields
    of the spec name another task and target."""
    axes = ("in_channels", "image_height", "image_width")
    classes = {"task": "classification", "n_outputs": len(class_names), "class_names": class_names}
    return DataSpec(
        name=name,
        inputs={"image": Input(shape, "uint8", axes, scaled_axis=0)},
        licence=facts.licence,
        source=facts.source,
        **{**classes, **fields},
    )


def with_drawing_style(spec: DataSpec, train: Any) -> DataSpec:
    """The spec with the style of the training split's images, if these are drawings."""
    if spec.inputs["image"].shape[0] != 1:
        return spec
    sample = np.linspace(0, len(train) - 1, min(len(train), 1000)).astype(np.int64)
    style = measure_style(train.__getitems__(torch.from_numpy(sample))["image"].numpy())
    return replace(spec, reading={**spec.reading, "look": style._asdict()}) if style else spec
