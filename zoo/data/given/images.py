"""Images given in Python, as arrays, PIL images or paths, as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.data.images.arrays import to_image


def is_images(values: Sequence[Any], family: str | None) -> bool:
    """Whether all samples are images: PIL images, uint8 arrays of two or three axes, or paths; for a convolutional
    network also other arrays of whole numbers from 0 to 255."""
    if all(isinstance(value, Image.Image | Path) for value in values):
        return True
    if all(isinstance(value, str) for value in values):
        return family == "cnn"
    if not all(np.ndim(value) in (2, 3) for value in values):
        return False
    arrays = [np.asarray(value) for value in values]
    if all(array.dtype == np.uint8 for array in arrays):
        return True
    if arrays[0].ndim == 3:
        to_image(arrays[0])  # refuses what no image is
    return family == "cnn"


def write_images(values: Sequence[Any], folder: Path) -> list[str]:
    """Write images to a folder as PNG, which loses nothing; return the path of each, of a file its own."""
    width = len(str(len(values)))
    return [_write(value, folder, f"{number:0{width}}.png") for number, value in enumerate(values, 1)]


def _write(value: Any, folder: Path, name: str) -> str:
    if isinstance(value, str | Path):
        return str(Path(value).expanduser().absolute())
    image = value if isinstance(value, Image.Image) else to_image(value)
    (image.convert("RGB") if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else image).save(folder / name)
    return name
