"""Folders of images, and broken files."""

import io

import numpy as np
from PIL import Image


def drawn(*shape):
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def plain(mode, colour, size=(4, 4)):
    return Image.new(mode, size, colour)


SEEN = {  # what each kind of file shows, as red, green and blue
    "grey.png": (plain("L", 100), (100, 100, 100)),
    "bits.png": (plain("1", 1), (255, 255, 255)),
    "colour.bmp": (plain("RGB", (1, 2, 3)), (1, 2, 3)),
    "colour.webp": (plain("RGB", (255, 0, 0)), (255, 0, 0)),
    "half_clear.png": (plain("RGBA", (0, 0, 0, 51)), (204, 204, 204)),
    "clear_grey.png": (plain("LA", (9, 0)), (255, 255, 255)),
    "palette.png": (plain("RGB", (7, 8, 9)).quantize(2), (7, 8, 9)),
    "palette.gif": (plain("RGB", (7, 8, 9)).quantize(2), (7, 8, 9)),
    "cmyk.tif": (plain("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
    "cmyk.jpg": (plain("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
    "16_bits.png": (Image.fromarray(np.full((4, 4), 1000, np.uint16)), (4, 4, 4)),
    "16_bits.tif": (Image.fromarray(np.full((4, 4), 65535, np.uint16)), (255, 255, 255)),
}


def broken(path):
    file = io.BytesIO()
    Image.fromarray(drawn(64, 64)).save(file, "JPEG" if path.suffix == ".jpg" else "PNG")
    content = file.getvalue()
    contents = {"cut": content[: len(content) // 2], "empty": b"", "text": b"words", "program": b"%!PS-Adobe-3.0 EPSF"}
    path.write_bytes(contents.get(path.stem, content))
    return path


COLOURS = {"blue": (20, 30, 220), "green": (10, 200, 40), "red": (230, 20, 30)}


def picture(colour, seed, size=(32, 32)):
    noise = np.random.default_rng(seed).integers(-20, 20, (size[1], size[0], 3))
    return Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))


def folder_of(root, n=10, size=(32, 32)):
    """Class folders of `n` noisy pictures of one colour each."""
    for number, (name, colour) in enumerate(COLOURS.items()):
        (root / name).mkdir(parents=True)
        for i in range(n):
            picture(colour, 1000 * number + i, size).save(root / name / f"{i}.png")
    return root
