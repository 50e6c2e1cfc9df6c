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
from zoo.data.registry import READERS
from zoo.data.splits import Batch


@READERS.register("image")
def read_images(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """Read one image or several as {"image": uint8 (n, channels, height, width)}, and whether it was one.

    Arrays have the shape that the model takes. Files, folders of them and PIL images may have any size and mode; they
    are converted as the files of an image folder are, and redrawn if the training images are drawings.
    """
    shape: Any = spec.inputs["image"].shape
    images = _files_or_images(raw)
    if images is None:
        return _read_arrays(raw, shape)
    style = style_in(spec)
    converted = [decode_in_style(one, shape, style) if isinstance(one, Path) else _convert(one, shape, style)
                 for one in images]  # fmt: skip
    arrays, changes = zip(*converted, strict=True)
    report_changes(changes)
    return {"image": torch.from_numpy(np.stack(arrays))}, images[0] is raw


def _files_or_images(raw: Any) -> list[Path | Image.Image] | None:
    """Files and PIL images; None where `raw` is arrays."""
    if isinstance(raw, Path) and raw.is_dir():
        files = list_images(raw)
        if not files:
            raise UserError(f"there are no images in {raw}")
        return [*files]
    several = raw if isinstance(raw, list | tuple) else [raw]
    return list(several) if several and all(isinstance(one, Path | Image.Image) for one in several) else None


def _convert(image: Image.Image, shape: Shape, style: DrawingStyle | None) -> tuple[np.ndarray, str]:
    try:
        return to_array_in_style(image, shape, style)
    except (ValueError, OSError) as error:
        raise UserError(f"this PIL image cannot be read: {error}") from error


def _read_arrays(raw: Any, shape: Shape) -> tuple[Batch, bool]:
    try:
        image = raw if isinstance(raw, Tensor) else torch.tensor(np.array(raw))
    except (TypeError, ValueError) as error:
        kind = type(raw).__name__
        raise UserError(f"images are files (pathlib.Path), PIL images, or arrays of one size; got {kind}") from error
    if image.numel() and image.dtype != torch.uint8:
        raise UserError(f"images are uint8, 0 to 255; got {image.dtype}: give the pixels as they are in the file")
    for n_batch_axes in range(2 * (image.numel() > 0)):
        channels_first = image.movedim(-1, -3) if image.dim() >= 3 else image
        with_channel = image[..., None, :, :] if image.dim() >= 2 else image
        for candidate in (image, with_channel, channels_first):
            if candidate.dim() == 3 + n_batch_axes and candidate.shape[n_batch_axes:] == shape:
                return {"image": candidate if n_batch_axes else candidate[None]}, not n_batch_axes
    raise UserError(
        f"an image here is {' x '.join(map(str, shape))} (channels, height, width); got {tuple(image.shape)}"
    )
