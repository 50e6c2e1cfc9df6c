"""Images as arrays of pixels."""

from typing import Any

import numpy as np
from PIL import Image

from zoo.core.errors import UserError

CHANNELS = (1, 3, 4)


def to_image(array: Any) -> Image.Image:
    """Convert pixels (height, width), (height, width, channels) or (channels, height, width) to a PIL image.

    Raises:
        UserError: for another shape, and for pixels that are not whole numbers from 0 to 255.
    """
    pixels = _whole_numbers(np.asarray(array))
    if pixels.ndim == 3 and pixels.shape[2] not in CHANNELS and pixels.shape[0] in CHANNELS:
        pixels = np.moveaxis(pixels, 0, 2)
    if not pixels.size or (pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] not in CHANNELS)):
        raise UserError(f"an image is (height, width) or (height, width, channels); got {np.shape(array)}")
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels))


def is_single(array: np.ndarray) -> bool:
    """Whether an array of two to four axes is one image, not several."""
    return array.ndim == 2 or (array.ndim == 3 and (array.shape[2] in CHANNELS or array.shape[0] in CHANNELS))


def _whole_numbers(array: np.ndarray) -> np.ndarray:
    """Pixels as uint8."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iu" or not array.size or array.min() < 0 or array.max() > 255:
        limits = f" from {array.min():g} to {array.max():g}" if array.dtype.kind in "fiu" and array.size else ""
        fix = ": (255 * X).astype('uint8')" if array.dtype.kind == "f" and limits and array.max() <= 1 else ""
        raise UserError(f"pixels are whole numbers from 0 to 255; got {array.dtype}{limits}{fix}")
    return array.astype(np.uint8)
