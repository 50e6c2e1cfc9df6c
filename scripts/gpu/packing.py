"""Pack wheels and data sets for a GPU machine without network, in parts of a few megabytes, and unpack them there.

Imports nothing of the zoo, whose packages may only come with the pack.
"""

import io
import lzma
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

AS_THEY_ARE = ("MNIST/raw/*.gz", "tinyshakespeare/input.txt")
CIFAR = "cifar-10-batches-bin"
BATCHES = ("test_batch", *(f"data_batch_{number}" for number in range(1, 6)))
PLATFORMS = ("2_28", "2_27", "2_17", "2014", "2_34", "1")
ROWS = 500  # images in a picture: WebP takes 16,383 pixels, and its lossless coding learns from one image to the next


def pack(folder: Path, data: Path, mb: float, python: str, packages: Sequence[str]) -> list[Path]:
    """Write folder/1, folder/2 and so on, none larger than `mb` megabytes.

    Args:
        folder: to write to; what is there is removed.
        data: the folder of ZOO_DATA.
        mb: of a part.
        python: version of Python on the GPU machine, which runs Linux on x86-64.
        packages: that it lacks, to be packed in the versions that are installed here.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = [*wheels(Path(scratch), python, packages), *_data_files(Path(scratch), data)]
        parts: list[list[Path]] = [[]]
        for file in files:
            if parts[-1] and sum(one.stat().st_size for one in [*parts[-1], file]) > mb * 1e6:
                parts.append([])
            parts[-1].append(file)
        for number, part in enumerate(parts, 1):
            (folder / str(number)).mkdir(parents=True)
            for file in part:
                shutil.copy(file, folder / str(number) / file.name)
    return [folder / str(number) for number in range(1, len(parts) + 1)]


def wheels(folder: Path, python: str, packages: Iterable[str]) -> list[Path]:
    """Fetch wheels for Linux on x86-64; build those of packages that offer none, of Python alone."""
    platforms = [f"--platform=manylinux{name if name in ('2014', '1') else f'_{name}'}_x86_64" for name in PLATFORMS]
    target = ["--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms]
    for name in packages:
        pinned = f"{name}=={version(name)}"
        fetched = _pip("download", "-q", "--no-deps", *target, "-d", str(folder), pinned)
        if fetched.returncode and _pip("wheel", "-q", "--no-deps", "-w", str(folder), pinned).returncode:
            raise SystemExit(f"pip has no wheel of {pinned}: {fetched.stderr.strip()[-300:]}")
    return sorted(folder.glob("*.whl"))


def _pip(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True)


def _data_files(scratch: Path, data: Path) -> Iterator[Path]:
    """The data sets that are in `data`, each file packed; its name is its path with __ for /."""
    for pattern in AS_THEY_ARE:
        for path in sorted(data.glob(pattern)):
            yield Path(shutil.copy(path, scratch / str(path.relative_to(data)).replace("/", "__")))
    for batch in BATCHES:
        for path in data.glob(f"{CIFAR}/{batch}.bin*"):
            content = lzma.open(path).read() if path.suffix == ".xz" else path.read_bytes()
            yield write_images(scratch / f"{CIFAR}__{batch}.bin.zip", content)


def write_images(path: Path, content: bytes) -> Path:
    """Write a file of CIFAR's binary form as a zip of labels and pictures without loss, about half as large."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("labels", records[:, 0].tobytes())
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (n, 32, 32, 3)
        for start in range(0, len(images), ROWS):
            file = io.BytesIO()
            column = np.ascontiguousarray(images[start : start + ROWS].reshape(-1, 32, 3))
            Image.fromarray(column).save(file, "webp", lossless=True, quality=80, method=4, exact=True)
            packed.writestr(f"{start:06}.webp", file.getvalue())
    return path


def read_images(path: Path) -> bytes:
    """Return the content that `write_images` was given."""
    with zipfile.ZipFile(path) as packed:
        labels = np.frombuffer(packed.read("labels"), np.uint8)
        pictures = [Image.open(packed.open(name)).convert("RGB") for name in sorted(packed.namelist())[:-1]]
    images = np.concatenate([np.asarray(picture).reshape(-1, 32, 32, 3) for picture in pictures])
    return np.hstack([labels[:, None], images.transpose(0, 3, 1, 2).reshape(len(labels), -1)]).tobytes()


def unpack(part: Path, data: Path, site: Path) -> None:
    """Unpack a part: data sets to the folder `data`, for ZOO_DATA, and wheels to the folder `site`, for PYTHONPATH."""
    for path in sorted(part.iterdir()):
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:  # pure files, as pip would copy them
                wheel.extractall(site)
            continue
        target = data / path.name.removesuffix(".zip").replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(read_images(path) if path.suffix == ".zip" else path.read_bytes())
