"""Decode image files and PIL images of any size and mode to uint8 arrays of one shape.

Imports no torch, so that worker processes start fast.
"""

import contextlib
import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.core.errors import UserError
from zoo.data.images._drawings import DrawingStyle, match_style
from zoo.data.images._file_types import describe_file
from zoo.data.images.suffixes import FORMATS

Shape = tuple[int, int, int]  # channels (1 or 3), height, width

READABLE = [name for name in FORMATS if name in Image.OPEN]
ORIENTATION = 0x0112  # the EXIF tag


class Header(NamedTuple):
    """Size in pixels when upright, and whether the file's mode is grey."""

    height: int
    width: int
    grey: bool


def read_header(path: Path) -> Header:
    """Read size and mode of a file without decoding it. UserError names a file that is not an image."""
    with _opened(path) as image:
        width, height = image.size
        if "exif" in image.info and image.getexif().get(ORIENTATION, 1) > 4:  # rotated by 90 degrees
            width, height = height, width
        return Header(height, width, image.mode in ("1", "L", "LA", "La") or image.mode[0] in "IF")


def decode_file(path: Path, shape: Shape) -> np.ndarray:
    """`to_array` for a file; the first frame of an animation. UserError names a file that cannot be read."""
    with _opened(path) as image:
        image.draft(None, (2 * max(shape[1:]),) * 2)  # decodes large JPEGs at a fraction of their size
        return to_array(image, shape)


def decode_in_style(path: Path, shape: Shape, style: DrawingStyle | None) -> tuple[np.ndarray, str]:
    """`to_array_in_style` for a file. UserError names a file that cannot be read."""
    if style is None:
        return decode_file(path, shape), ""
    with _opened(path) as image:
        image.draft(None, (800, 800))
        return to_array_in_style(image, shape, style)


def hash_file(path: Path) -> str:
    """A hash of a file's content, in hexadecimal. UserError names a file that cannot be read."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def to_array(image: Image.Image, shape: Shape) -> np.ndarray:
    """Convert an image to uint8 of `shape`: (1, height, width) in grey, or (3, height, width) in RGB.

    Rotates as the EXIF tag says, divides 16-bit grey by 257, and puts transparent pixels on white. Another size is
    resized, with antialiasing, and centre-cropped.

    Raises:
        ValueError: for 32-bit and floating pixels, which have no known range, and other numbers of channels.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"an image gives 1 or 3 channels; the model takes {channels}")
    image = _converted(image, channels)
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height))
    values = np.array(image)  # (height, width) or (height, width, 3)
    return values[None] if channels == 1 else np.ascontiguousarray(values.transpose(2, 0, 1))


def to_array_in_style(image: Image.Image, shape: Shape, style: DrawingStyle | None) -> tuple[np.ndarray, str]:
    """`to_array`, redrawn in the training images' style, if they have one, and what was changed for it."""
    if style is None:
        return to_array(image, shape), ""
    redrawn, changes = match_style(_converted(image, 1), style, *shape[1:])
    return (to_array(image, shape) if redrawn is None else redrawn[None]), changes


def _converted(image: Image.Image, channels: int) -> Image.Image:
    return _opaque(_in_8_bits(ImageOps.exif_transpose(image))).convert("L" if channels == 1 else "RGB")


def _in_8_bits(image: Image.Image) -> Image.Image:
    if image.mode[0] not in "IF":
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"pixels of mode {image.mode} have no known range; save it with 8 or 16 bits")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode[-1] not in "Aa" and "transparency" not in image.info:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open the image at `path`; any failure in the block becomes a UserError that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unusual metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=READABLE) as image:
                yield image
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise UserError(f"{path}: {_reason(path, error)}") from error


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return describe_file(path)
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
