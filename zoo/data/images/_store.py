"""Many image files as one array: decoded once into a file of pixels, or each time they are asked for."""

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
from zoo.data.images._look import Look
from zoo.data.images._pixels import Header, Shape, read_alike, read_digest, read_header
from zoo.data.images._processes import in_processes
from zoo.data.sources.cache import cache_folder, cached
from zoo.data.splits import TensorSplit
from zoo.data.stored import MappedRows, StoredSplit, stored_split

VERSION = 4  # of the conversion; a new one makes every cache anew
Size = int | Sequence[int] | None


@dataclass
class Store:
    """The images of many files.

    Attributes:
        paths: of the readable files.
        rows: their positions among all files.
        shape: channels, height and width of each image.
        skipped: what is wrong with each of the other files.
        copies: groups of positions of files that are equal byte for byte.
        digests: a hash of the content of each readable file, in hexadecimal.
        pixels: the file of decoded images; None where each is decoded when it is asked for.
        look: of training's drawings, which the images are brought to.
        done: what was done for it to each image that needed it; empty where each is decoded when it is asked for.
    """

    paths: list[Path]
    rows: list[int]
    shape: Shape
    skipped: list[str]
    copies: list[list[int]]
    digests: list[str]
    pixels: Path | None
    look: Look | None = None
    done: Sequence[str] = ()

    @property
    def n_bytes(self) -> float:
        """What all images take decoded; infinite where they are decoded each time."""
        return math.inf if self.pixels is None else self.pixels.stat().st_size

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images (k, channels, height, width) of `index` (k,), which counts the readable files."""
        if self.pixels is not None:
            return MappedRows(self.pixels, "uint8", (len(self.paths), *self.shape))[index]
        try:
            return np.stack([read_alike(self.paths[i], self.shape, self.look)[0] for i in index])
        except UserError as error:
            raise UserError(f"{error}\ntake it out, or leave it to data.cache=true, which skips such files") from error

    def keys(self) -> np.ndarray:
        """A key (n,) of each readable file's content, whatever decodes it."""
        return np.array([int(digest[:16], 16) for digest in self.digests], np.uint64)

    def split(self, index: np.ndarray, target: Tensor) -> StoredSplit | TensorSplit:
        """The images of `index` (k,) with their targets (k, ...); in memory where all are decoded and small enough."""
        return stored_split(index, target, image=self)


def open_store(
    paths: Sequence[Path], size: Size, channels: int | None, cache: bool | str, look: Look | None = None
) -> Store:
    """The images of `paths`, brought to one shape.

    Args:
        paths: image files.
        size: side, or (height, width), in pixels; None measures it, see `common_shape`.
        channels: 1 or 3; None measures it.
        cache: decode once into a file of the cache folder, or each image whenever it is asked for; "auto" decodes once
            where that takes no more than half of the free disk space.
        look: of the drawings that a model was trained on, to which the images are brought.

    Raises:
        UserError: when no file can be read, or the disk is too small.
    """
    digests = [str(digest) for digest in in_processes(read_digest, paths, "comparing")]  # or why there is none
    folder = cache_folder() / "imagefolder" / _key(paths, digests, size, channels, look)
    if cache and _is_whole(folder):
        return _decoded(folder, paths, digests)
    headers = list(in_processes(read_header, paths, "reading headers"))
    rows = [row for row, header in enumerate(headers) if isinstance(header, Header)]
    skipped = [str(header) for header in headers if isinstance(header, UserError)]
    _refuse_none(rows, skipped)
    shape = common_shape([headers[row] for row in rows], size, channels)
    own = [digests[row] for row in rows]
    store = Store([paths[row] for row in rows], rows, shape, skipped, _copies(digests, rows), own, None, look)
    if not cache or not _fits(len(rows) * math.prod(shape), cache):
        return store
    return _decoded(cached(folder, functools.partial(_decode, store), _is_whole), paths, digests)


def _refuse_none(rows: Sequence[int], skipped: Sequence[str]) -> None:
    if not rows:
        raise UserError("\n".join([f"none of the {len(skipped)} image files can be read", *skipped[:3]]))


def _is_whole(folder: Path) -> bool:
    """Whether `folder` holds all that `_decode` leaves; a power cut may have cut it off."""
    try:
        found = json.loads((folder / "contents.json").read_text())
        return (folder / "pixels").stat().st_size == len(found["rows"]) * math.prod(found["shape"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _decoded(folder: Path, paths: Sequence[Path], digests: Sequence[str]) -> Store:
    """The store that `_decode` left in `folder`."""
    found = json.loads((folder / "contents.json").read_text())
    found["shape"] = tuple(found["shape"])
    found["paths"], found["digests"] = ([of[row] for row in found["rows"]] for of in (paths, digests))
    return Store(**found, pixels=folder / "pixels")


def common_shape(headers: Sequence[Header], size: Size, channels: int | None) -> Shape:
    """The shape all images are brought to: one channel where no file has colours, and the median height and width,
    both made smaller or larger by the same factor where that is needed: sides are even and from 28 to 224 pixels, so
    that all networks take them; to 512 where all files have one size.
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


def _key(paths: Sequence[Path], digests: Sequence[str], *options: object) -> str:
    """A name for what files of these places and contents become."""
    files = [(str(path), digest) for path, digest in zip(paths, digests, strict=True)]
    return hashlib.sha256(repr((VERSION, options, files)).encode()).hexdigest()[:32]


def _copies(digests: Sequence[str], rows: Iterable[int]) -> list[list[int]]:
    """Groups of `rows` whose files are equal byte for byte."""
    alike = defaultdict(list)
    for row in rows:
        alike[digests[row]].append(row)
    return [group for group in alike.values() if len(group) > 1]


def _fits(n_bytes: int, cache: bool | str) -> bool:
    free = shutil.disk_usage(cache_folder()).free
    if cache is True and n_bytes > free:
        raise UserError(
            f"the decoded images take {n_bytes / 1e9:.1f} GB, and {cache_folder()} has {free / 1e9:.1f} GB free\n"
            "set ZOO_CACHE to a folder on a larger disk, or a smaller data.size, or data.cache=false"
        )
    return n_bytes <= free / 2 or cache is True


def _decode(store: Store, folder: Path) -> None:
    """Decode all images into `folder`."""
    folder.mkdir()
    read = functools.partial(read_alike, shape=store.shape, look=store.look)
    images = in_processes(read, store.paths, "decoding")
    rows, skipped, done = _write(images, store.rows, folder / "pixels")
    _refuse_none(rows, skipped)
    skipped = store.skipped + skipped
    found = {"rows": rows, "shape": store.shape, "skipped": skipped, "copies": store.copies, "done": done}
    (folder / "contents.json").write_text(json.dumps(found))


def _write(
    images: Iterable[tuple[np.ndarray, str] | UserError], rows: Iterable[int], file: Path
) -> tuple[list[int], list[str], list[str]]:
    """Write the images one after the other; the rows of those, what is wrong with the others, and what was done."""
    kept, skipped, done = [], [], []
    with open(file, "wb") as pixels:
        for row, image in zip(rows, images, strict=True):
            if isinstance(image, UserError):
                skipped.append(str(image))
                continue
            pixels.write(image[0].data)
            kept.append(row)
            done += [image[1]] if image[1] else []
    return kept, skipped, done
