"""MNIST: 70,000 handwritten digits, the official 60,000 / 10,000. Y. LeCun et al., Proc. IEEE 1998."""

import torch

from zoo.data import DATA
from zoo.data.files import read
from zoo.data.images._images import image_spec, with_validation
from zoo.data.splits import Splits, TensorSplit

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@DATA.register("mnist")
def mnist(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """55,000 / 5,000 / 10,000 grey images of 28 by 28 pixels, ten classes."""
    spec = image_spec(
        "mnist",
        (1, 28, 28),
        [str(digit) for digit in range(10)],
        target_name="digit",
        licence="CC BY-SA 3.0",
        source="Y. LeCun, C. Cortes, C. Burges, MNIST",
    )
    return with_validation(spec, _split("train"), _split("t10k"), n_val, split_seed)


def _split(prefix: str) -> TensorSplit:
    images = _idx(f"{prefix}-images-idx3-ubyte", header=16).view(-1, 1, 28, 28)
    return TensorSplit(image=images, target=_idx(f"{prefix}-labels-idx1-ubyte", header=8).long())


def _idx(name: str, header: int) -> torch.Tensor:
    content = read(f"MNIST/raw/{name}", SHA256[name], [f"{mirror}{name}.gz" for mirror in MIRRORS])
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header)
