"""What the image data sets share: the spec of images that are classified, and a validation split carved from train."""

from collections.abc import Sequence
from typing import Any

from zoo.data.splits import Splits, TensorSplit, carve
from zoo.spec import DataSpec, Input


def image_spec(name: str, shape: tuple[int, int, int], class_names: Sequence[str], **spec: Any) -> DataSpec:
    """The spec of raw images (channels, height, width) in uint8, 0 to 255, with one class each."""
    axes = ("in_channels", "image_height", "image_width")
    return DataSpec(
        name=name,
        task="classification",
        inputs={"image": Input(shape, "uint8", axes, scaled_axis=0)},
        n_outputs=len(class_names),
        class_names=class_names,
        **spec,
    )


def with_validation(spec: DataSpec, train: TensorSplit, test: TensorSplit, n_val: int, split_seed: int) -> Splits:
    """Official train and test split, with `n_val` images of train, stratified, as validation split."""
    rest, val = carve(len(train), n_val, seed=split_seed, stratify=train.columns["target"].numpy())
    return Splits(spec, train=train.subset(rest), val=train.subset(val), test=test)
