"""Parse the files of published image sets, in the formats of MNIST and CIFAR, and make splits of them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from zoo.core.spec import DataSpec
from zoo.data.images._image_spec import with_drawing_style
from zoo.data.random_split import carve
from zoo.data.splits import Splits, TensorSplit

ImagesAndLabels = tuple[np.ndarray, np.ndarray]  # (n, channels, height, width) in uint8, and (n,)


def splits_with_validation(
    spec: DataSpec, train: ImagesAndLabels, test: ImagesAndLabels, n_val: int, split_seed: int
) -> Splits:
    """The official training and test split, with `n_val` training images, stratified, as validation split."""
    images, labels = train
    rest, val = carve(len(labels), n_val, seed=split_seed, stratify=labels)
    part = _split(images[rest], labels[rest])
    return Splits(with_drawing_style(spec, part), train=part, val=_split(images[val], labels[val]), test=_split(*test))


def _split(images: np.ndarray, labels: np.ndarray) -> TensorSplit:
    image = torch.from_numpy(images) if images.flags.writeable else torch.tensor(images)
    return TensorSplit(image=image, target=torch.tensor(labels, dtype=torch.int64))


def idx_splits(spec: DataSpec, read_file: Callable[[str], bytes], n_val: int, split_seed: int) -> Splits:
    """The splits of a set in the four files of MNIST; `read_file` returns the content of each by its name."""

    def read_part(prefix: str) -> ImagesAndLabels:
        images, labels = (parse_idx(read_file(f"{prefix}-{kind}-ubyte")) for kind in ("images-idx3", "labels-idx1"))
        return images[:, None], labels

    return splits_with_validation(spec, read_part("train"), read_part("t10k"), n_val, split_seed)


def parse_idx(content: bytes) -> np.ndarray:
    """The array of an idx file of bytes: 0, 0, 8, the number of axes, the size of each in four bytes, the values."""
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"an idx file of bytes begins with 0, 0, 8; got {list(content[:3])}")
    shape = np.frombuffer(content, ">i4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def parse_cifar(contents: Sequence[bytes], *, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels (n, n_labels) of CIFAR's binary files: label bytes, then 3,072 pixels each."""
    records = [np.frombuffer(content, np.uint8).reshape(-1, n_labels + 3072) for content in contents]
    images = np.concatenate([record[:, n_labels:] for record in records]).reshape(-1, 3, 32, 32)
    return images, np.concatenate([record[:, :n_labels] for record in records])
