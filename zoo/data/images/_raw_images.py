"""Read a user's raw images, as files, PIL images or arrays, into a batch for a trained model."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.images._class_folders import list_images
from zoo.data.images._decode import Shape, decode_in_style, to_array_in_style
from zoo.data.images._drawings import DrawingStyle, report_changes, style_in
from zoo.data.images.arrays import is_single, to_image
from zoo.data.raw_input import as_paths, describe
from zoo.data.registry import READERS
from zoo.data.splits import Batch

KINDS = (Path, Image.Image)
TAKEN = "files or folders (a path), PIL images, or arrays (height, width[, channels]) of 0 to 255, one or a list"


@READERS.register("image")
def read_images(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Read one image or several as {"image": uint8 (n, channels, height, width)}, and whether it was one.

    Files, folders of them, PIL images and arrays may have any size and mode; they are converted as the files of an
    image folder are, and redrawn if the training images are drawings. Arrays that have the shape that the model takes
    stay as they are.
    """
    shape: Any = spec.inputs["image"].shape
    raw = as_paths(raw)
    if (batch := _read_arrays(raw, shape)) is not None:
        return batch
    images, single = _images(raw)
    style = style_in(spec)
    converted = [decode_in_style(one, shape, style) if isinstance(one, Path) else _convert(one, shape, style)
                 for one in images]  # fmt: skip
    arrays, changes = zip(*converted, strict=True)
    report_changes(changes)
    return {"image": torch.from_numpy(np.stack(arrays))}, single


def _images(raw: Any) -> tuple[list[Path | Image.Image], bool]:
    """Files, and PIL images of anything else; and whether it was one image."""
    if isinstance(raw, Path) and raw.is_dir():
        files = list_images(raw)
        if not files:
            raise UserError(f"there are no images in {raw}")
        return [*files], False
    if isinstance(raw, KINDS):
        return [raw], True
    try:
        array = None if _are_separate(raw) else np.asarray(raw)
        single = array is not None and is_single(array)
        several = list(raw) if array is None else [array] if single else list(array) if array.ndim > 2 else []
        if not several:
            raise TypeError("there is none")
        return [one if isinstance(one, KINDS) else to_image(one) for one in several], single
    except (TypeError, ValueError) as error:
        raise UserError(f"images are {TAKEN}; got {describe(raw)}") from error


def _are_separate(raw: Any) -> bool:
    """Whether it is a list of files, PIL images or arrays, whose sizes may differ."""
    return isinstance(raw, list | tuple) and all(isinstance(one, KINDS) or hasattr(one, "shape") for one in raw)


def _convert(image: Image.Image, shape: Shape, style: DrawingStyle | None) -> tuple[np.ndarray, str]:
    try:
        return to_array_in_style(image, shape, style)
    except (ValueError, OSError) as error:
        raise UserError(f"this PIL image cannot be read: {error}") from error


def _read_arrays(raw: Any, shape: Shape) -> tuple[Batch, bool] | None:
    """Arrays of the shape that the model takes; None for anything else."""
    if isinstance(raw, KINDS) or (isinstance(raw, list | tuple) and any(isinstance(one, KINDS) for one in raw)):
        return None
    try:
        image = raw if isinstance(raw, Tensor) else torch.tensor(np.array(raw))
    except (TypeError, ValueError):
        return None
    if image.dtype != torch.uint8:
        return None
    for n_batch_axes in range(2 * (image.numel() > 0)):
        channels_first = image.movedim(-1, -3) if image.dim() >= 3 else image
        with_channel = image[..., None, :, :] if image.dim() >= 2 else image
        for candidate in (image, with_channel, channels_first):
            if candidate.dim() == 3 + n_batch_axes and candidate.shape[n_batch_axes:] == shape:
                return {"image": candidate if n_batch_axes else candidate[None]}, not n_batch_axes
    return None
