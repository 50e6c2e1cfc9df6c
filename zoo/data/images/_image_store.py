"""Many image files as one array: decoded once into a cached file of pixels, or each time they are asked for."""

import functools
import hashlib
import json
import math
import shutil
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from zoo.core.errors import UserError
from zoo.data.images._decode import Header, Shape, decode_in_style, hash_file, read_header
from zoo.data.images._drawings import DrawingStyle
from zoo.data.images._parallel import map_files
from zoo.data.sources.cache import cache_folder, cached
from zoo.data.splits import TensorSplit
from zoo.data.stored import MappedRows, StoredSplit, stored_split

VERSION = 5  # of the conversion; a new one invalidates every cache
Size = int | Sequence[int] | None


@dataclass
class ImageStore:
    """The images of many files.

    Attributes:
        paths: of the readable files.
        rows: their positions among all files.
        shape: channels, height and width of each image.
        skipped: what is wrong with each of the other files.
        duplicates: groups of positions of files that are equal byte for byte.
        hashes: of the content of each readable file, in hexadecimal.
        pixels: the cached file of decoded images; None where each is decoded when it is asked for.
        style: of the training images, in which the images are redrawn.
        changes: what that changed in each image that needed it; empty where images are decoded when asked for.
    """

    paths: list[Path]
    rows: list[int]
    shape: Shape
    skipped: list[str]
    duplicates: list[list[int]]
    hashes: list[str]
    pixels: Path | None
    style: DrawingStyle | None = None
    changes: Sequence[str] = ()

    @property
    def n_bytes(self) -> float:
        """Of all decoded images; infinite where they are decoded each time."""
        return math.inf if self.pixels is None else self.pixels.stat().st_size

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images (k, channels, height, width) of `index` (k,), which counts the readable files."""
        if self.pixels is not None:
            return MappedRows(self.pixels, "uint8", (len(self.paths), *self.shape))[index]
        try:
            return np.stack([decode_in_style(self.paths[i], self.shape, self.style)[0] for i in index])
        except UserError as error:
            raise UserError(f"{error}\nremove it, or set data.cache=true, which skips such files") from error

    def row_hashes(self) -> np.ndarray:
        """A key (n,) of each readable file's content, which does not depend on the decoder."""
        return np.array([int(digest[:16], 16) for digest in self.hashes], np.uint64)

    def split(self, index: np.ndarray, target: Tensor) -> StoredSplit | TensorSplit:
        """The images of `index` (k,) with their targets (k, ...); in memory if all are decoded and small enough."""
        return stored_split(index, target, image=self)


def open_images(
    paths: Sequence[Path], size: Size, channels: int | None, cache: bool | str, style: DrawingStyle | None = None
) -> ImageStore:
    """Bring the images of `paths` to one shape.

    Args:
        paths: image files.
        size: side, or (height, width), in pixels; None measures it, see `common_shape`.
        channels: 1 or 3; None measures it.
        cache: whether to decode once into the cache, or whenever an image is asked for; "auto" decodes once where that
            takes at most half of the free disk space.
        style: of the drawings that a model was trained on, in which the images are redrawn.

    Raises:
        UserError: when no file can be read, or the disk is too small.
    """
    hashes = [str(result) for result in map_files(hash_file, paths, "hashing")]  # or why there is none
    folder = cache_folder() / "imagefolder" / _cache_key(paths, hashes, size, channels, style)
    if cache and _is_complete(folder):
        return _from_cache(folder, paths, hashes)
    headers = list(map_files(read_header, paths, "reading headers"))
    rows = [row for row, header in enumerate(headers) if isinstance(header, Header)]
    skipped = [str(header) for header in headers if isinstance(header, UserError)]
    _check_any(rows, skipped)
    store = ImageStore(
        paths=[paths[row] for row in rows],
        rows=rows,
        shape=common_shape([headers[row] for row in rows], size, channels),
        skipped=skipped,
        duplicates=_duplicates(hashes, rows),
        hashes=[hashes[row] for row in rows],
        pixels=None,
        style=style,
    )
    if not cache or not _fits_on_disk(len(rows) * math.prod(store.shape), cache):
        return store
    return _from_cache(cached(folder, functools.partial(_decode_all, store), _is_complete), paths, hashes)


def common_shape(headers: Sequence[Header], size: Size, channels: int | None) -> Shape:
    """The shape all images are brought to.

    One channel if every file is grey. Median height and width, scaled by one factor if needed so that sides are even
    and from 28 to 224 pixels, which all networks take; to 512 if all files have one size.
    """
    height, width = (statistics.median(header[axis] for header in headers) for axis in (0, 1))
    one_size = len({header[:2] for header in headers}) == 1
    largest = 512 if one_size and max(height, width) <= 512 else 224
    if size is None:
        factor = min(max(1, 28 / min(height, width)), largest / max(height, width))
        height, width = (max(math.ceil(side * factor / 2) * 2, 28) for side in (height, width))
    else:
        height, width = (size, size) if isinstance(size, int) else size
    return channels or (1 if all(header.grey for header in headers) else 3), height, width


def _check_any(rows: Sequence[int], skipped: Sequence[str]) -> None:
    """Raise UserError where no file can be read."""
    if not rows:
        raise UserError("\n".join([f"none of the {len(skipped)} image files can be read", *skipped[:3]]))


def _cache_key(paths: Sequence[Path], hashes: Sequence[str], *options: object) -> str:
    """A name for the decoded images of these paths, contents and options."""
    files = [(str(path), digest) for path, digest in zip(paths, hashes, strict=True)]
    return hashlib.sha256(repr((VERSION, options, files)).encode()).hexdigest()[:32]


def _duplicates(hashes: Sequence[str], rows: Iterable[int]) -> list[list[int]]:
    """Groups of `rows` whose files are equal byte for byte."""
    groups = defaultdict(list)
    for row in rows:
        groups[hashes[row]].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _fits_on_disk(n_bytes: int, cache: bool | str) -> bool:
    free = shutil.disk_usage(cache_folder()).free
    if cache is True and n_bytes > free:
        raise UserError(
            f"the decoded images take {n_bytes / 1e9:.1f} GB, and {cache_folder()} has {free / 1e9:.1f} GB free\n"
            "set ZOO_CACHE to a folder on a larger disk, or a smaller data.size, or data.cache=false"
        )
    return n_bytes <= free / 2 or cache is True


# The cached folder: `pixels`, the images one after the other, and `contents.json`, the store's other attributes.


def _is_complete(folder: Path) -> bool:
    """Whether `folder` holds all that `_decode_all` writes; a power cut may have truncated it."""
    try:
        contents = json.loads((folder / "contents.json").read_text())
        return (folder / "pixels").stat().st_size == len(contents["rows"]) * math.prod(contents["shape"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _from_cache(folder: Path, paths: Sequence[Path], hashes: Sequence[str]) -> ImageStore:
    """The store that `_decode_all` wrote to `folder`."""
    contents = json.loads((folder / "contents.json").read_text())
    rows = contents["rows"]
    contents["shape"] = tuple(contents["shape"])
    contents["paths"], contents["hashes"] = [paths[row] for row in rows], [hashes[row] for row in rows]
    return ImageStore(**contents, pixels=folder / "pixels")


def _decode_all(store: ImageStore, folder: Path) -> None:
    """Decode all images into `folder`."""
    folder.mkdir()
    decode = functools.partial(decode_in_style, shape=store.shape, style=store.style)
    rows, skipped, changes = _write_pixels(map_files(decode, store.paths, "decoding"), store.rows, folder / "pixels")
    _check_any(rows, skipped)
    contents = {
        "rows": rows,
        "shape": store.shape,
        "skipped": store.skipped + skipped,
        "duplicates": store.duplicates,
        "changes": changes,
    }
    (folder / "contents.json").write_text(json.dumps(contents))


def _write_pixels(
    images: Iterable[tuple[np.ndarray, str] | UserError], rows: Iterable[int], file: Path
) -> tuple[list[int], list[str], list[str]]:
    """Write the images one after the other; return their rows, what is wrong with the others, and the changes."""
    written, skipped, changes = [], [], []
    with open(file, "wb") as pixels:
        for row, image in zip(rows, images, strict=True):
            if isinstance(image, UserError):
                skipped.append(str(image))
                continue
            pixels.write(image[0].data)
            written.append(row)
            changes += [image[1]] if image[1] else []
    return written, skipped, changes
