"""What the image data sets share: the spec, a validation split carved from train, the idx form, and the reader."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.data import Facts
from zoo.data.images._folder import image_files
from zoo.data.images._look import Look, look_in, look_of, say_done
from zoo.data.images._pixels import Shape, alike, read_alike
from zoo.data.random_split import carve
from zoo.data.registry import READERS
from zoo.data.splits import Batch, Splits, TensorSplit

Labelled = tuple[np.ndarray, np.ndarray]  # images (n, channels, height, width) in uint8, classes (n,)


def image_spec(name: str, shape: Shape, class_names: Sequence[str], facts: Facts, **spec: Any) -> DataSpec:
    """The spec of raw images (channels, height, width) in uint8, 0 to 255, with one class each."""
    axes = ("in_channels", "image_height", "image_width")
    return DataSpec(
        name=name,
        task="classification",
        inputs={"image": Input(shape, "uint8", axes, scaled_axis=0)},
        n_outputs=len(class_names),
        class_names=class_names,
        licence=facts.licence,
        source=facts.source,
        **spec,
    )


def tensors(images: np.ndarray, labels: np.ndarray) -> TensorSplit:
    """Images and classes as a split; writable arrays are shared, others copied."""
    image = torch.from_numpy(images) if images.flags.writeable else torch.tensor(images)
    return TensorSplit(image=image, target=torch.tensor(labels, dtype=torch.int64))


def with_validation(spec: DataSpec, train: Labelled, test: Labelled, n_val: int, split_seed: int) -> Splits:
    """Official train and test split, with `n_val` images of train, stratified, as validation split."""
    images, labels = train
    rest, val = carve(len(labels), n_val, seed=split_seed, stratify=labels)
    part = tensors(images[rest], labels[rest])
    return Splits(with_look(spec, part), train=part, val=tensors(images[val], labels[val]), test=tensors(*test))


def with_look(spec: DataSpec, train: Any) -> DataSpec:
    """The spec, saying how the training split's drawings look, where it holds such; see `zoo.data.images._look`."""
    if spec.inputs["image"].shape[0] != 1:
        return spec
    some = np.linspace(0, len(train) - 1, min(len(train), 1000)).astype(np.int64)
    look = look_of(train.__getitems__(torch.from_numpy(some))["image"].numpy())
    return replace(spec, reading={**spec.reading, "look": look._asdict()}) if look else spec


def parse_idx(content: bytes) -> np.ndarray:
    """The array of an idx file of bytes: 0, 0, 8, the number of axes, the size of each in four bytes, the values."""
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"an idx file of bytes begins with 0, 0, 8; got {list(content[:3])}")
    shape = np.frombuffer(content, ">i4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def idx_splits(spec: DataSpec, read_file: Callable[[str], bytes], n_val: int, split_seed: int) -> Splits:
    """The splits of a set in the four files of MNIST's form; `read_file` gives the content of each by its name."""

    def part(prefix: str) -> Labelled:
        images, labels = (parse_idx(read_file(f"{prefix}-{kind}-ubyte")) for kind in ("images-idx3", "labels-idx1"))
        return images[:, None], labels

    return with_validation(spec, part("train"), part("t10k"), n_val, split_seed)


def cifar_records(contents: Sequence[bytes], *, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels (n, n_labels) of CIFAR's binary files: label bytes, then 3,072 pixels each."""
    records = [np.frombuffer(content, np.uint8).reshape(-1, n_labels + 3072) for content in contents]
    images = np.concatenate([record[:, n_labels:] for record in records]).reshape(-1, 3, 32, 32)
    return images, np.concatenate([record[:, :n_labels] for record in records])


@READERS.register("image")
def read_images(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One image or several as {"image": uint8 (n, channels, height, width)}, and whether it was one.

    Arrays have the shape the model takes. Files, folders of them and PIL images may have any size and colours, and are
    brought to that shape as the files of an image folder are; where training's are drawings, to their look.
    """
    shape: Any = spec.inputs["image"].shape
    pictures = _pictures(raw)
    if pictures is None:
        return _read_arrays(raw, shape)
    look = look_in(spec)
    read = (read_alike(one, shape, look) if isinstance(one, Path) else _decoded(one, shape, look) for one in pictures)
    images, done = zip(*read, strict=True)
    say_done(done)
    return {"image": torch.from_numpy(np.stack(images))}, pictures[0] is raw


def _decoded(image: Image.Image, shape: Shape, look: Look | None) -> tuple[np.ndarray, str]:
    try:
        return alike(image, shape, look)
    except (ValueError, OSError) as error:
        raise UserError(f"this PIL image cannot be read: {error}") from error


def _pictures(raw: Any) -> list[Path | Image.Image] | None:
    """Files and PIL images; None where `raw` is of arrays."""
    if isinstance(raw, Path) and raw.is_dir():
        files = image_files(raw)
        if not files:
            raise UserError(f"there are no images in {raw}")
        return [*files]
    several = raw if isinstance(raw, list | tuple) else [raw]
    return list(several) if several and all(isinstance(one, Path | Image.Image) for one in several) else None


def _read_arrays(raw: Any, shape: Shape) -> tuple[Batch, bool]:
    try:
        image = raw if isinstance(raw, Tensor) else torch.tensor(np.array(raw))
    except (TypeError, ValueError) as error:
        kind = type(raw).__name__
        raise UserError(f"images are files (pathlib.Path), PIL images, or arrays of one size; got {kind}") from error
    if image.numel() and image.dtype != torch.uint8:
        raise UserError(f"images are uint8, 0 to 255; got {image.dtype}: give the pixels as they are in the file")
    for axes in range(2 * (image.numel() > 0)):
        last = image.movedim(-1, -3) if image.dim() >= 3 else image  # channels last
        with_channel = image[..., None, :, :] if image.dim() >= 2 else image
        for candidate in (image, with_channel, last):
            if candidate.dim() == 3 + axes and candidate.shape[axes:] == shape:
                return {"image": candidate if axes else candidate[None]}, not axes
    raise UserError(
        f"an image here is {' x '.join(map(str, shape))} (channels, height, width); got {tuple(image.shape)}"
    )
