"""Files and pictures of any size and colours as arrays of one shape. Needs no torch, so that workers start at once."""

import contextlib
import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.core.errors import UserError
from zoo.data.images._kinds import kind_of
from zoo.data.images._look import Look, as_drawn

Shape = tuple[int, int, int]  # channels (1 or 3), height, width

# What is opened, whatever a file is called; among what PIL knows beside these are formats that run other programs.
FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "WEBP", "TIFF", "PPM", "TGA", "JPEG2000", "AVIF", "HEIF")
EXTENSIONS = {ending for ending, form in Image.registered_extensions().items() if form in FORMATS}
EXTENSIONS |= {".heic", ".heif", ".hif"}  # named as what they are, where they cannot be read
READABLE = [form for form in FORMATS if form in Image.OPEN]


class Header(NamedTuple):
    """Size in pixels as seen upright, and whether the file says it has no colours."""

    height: int
    width: int
    grey: bool


def read_header(path: Path) -> Header:
    """Size and colours of a file, without decoding it. UserError names a file that is no image."""
    with _opened(path) as image:
        width, height = image.size
        if "exif" in image.info and image.getexif().get(0x0112, 1) > 4:  # to be turned by a quarter
            width, height = height, width
        return Header(height, width, image.mode in ("1", "L", "LA", "La") or image.mode[0] in "IF")


def read_pixels(path: Path, shape: Shape) -> np.ndarray:
    """A file as `pixels` gives it; of a moving one the first picture. UserError names a file that cannot be read."""
    with _opened(path) as image:
        image.draft(None, (2 * max(shape[1:]),) * 2)  # large JPEGs are decoded at a fraction of their size
        return pixels(image, shape)


def read_alike(path: Path, shape: Shape, look: Look | None) -> tuple[np.ndarray, str]:
    """A file as `alike` gives it. UserError names a file that cannot be read."""
    if look is None:
        return read_pixels(path, shape), ""
    with _opened(path) as image:
        image.draft(None, (800, 800))
        return alike(image, shape, look)


def read_digest(path: Path) -> str:
    """A hash of a file's content. UserError names a file that cannot be read."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def pixels(image: Image.Image, shape: Shape) -> np.ndarray:
    """A picture as uint8 of `shape`: (1, height, width) grey, or (3, height, width) in red, green and blue.

    Turned upright as its EXIF tag says. 16-bit grey is divided by 257. What is transparent lies on white. Where the
    size differs, the shorter side is brought to it, smoothed, and the centre is cut out.

    Raises:
        ValueError: for 32-bit and floating pixels, which have no known range.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"a picture gives 1 or 3 channels; {channels} are wanted")
    image = _converted(image, channels)
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height))
    values = np.array(image)  # (height, width) or (height, width, 3)
    return values[None] if channels == 1 else np.ascontiguousarray(values.transpose(2, 0, 1))


def alike(image: Image.Image, shape: Shape, look: Look | None) -> tuple[np.ndarray, str]:
    """A picture as `pixels` gives it, and what was done to it beside; where training's drawings have a `look`, one
    like them."""
    if look is None:
        return pixels(image, shape), ""
    found, done = as_drawn(_converted(image, 1), look, *shape[1:])
    return (pixels(image, shape) if found is None else found[None]), done


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
    """The image at `path`, of which the header is read; every failure until the end of the block is a UserError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=READABLE) as image:
                yield image
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise UserError(f"{path}: {_reason(path, error)}") from error


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return kind_of(path)
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
