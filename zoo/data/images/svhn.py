"""SVHN: 99,289 house numbers cut from street views, cropped to one digit, the official 73,257 / 26,032.

Y. Netzer et al., "Reading digits in natural images with unsupervised feature learning", 2011. Without its extra images.
"""

import io

import numpy as np

from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec
from zoo.data.images._official_splits import ImagesAndLabels, splits_with_validation
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

URL = "http://ufldl.stanford.edu/housenumbers/"
SHA256 = {
    "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
}
FACTS = Facts(
    task="classification",
    rows="68,257 / 5,000 / 26,032",
    inputs="image 3 x 32 x 32 (uint8)",
    licence="non-commercial use only",
    source="Y. Netzer et al., The Street View House Numbers, 2011",
    network="fetched",
)


@DATA.register("svhn")
def svhn(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """68,257 / 5,000 / 26,032 colour images of 32 by 32 pixels, ten classes."""
    spec = image_spec("svhn", (3, 32, 32), [str(digit) for digit in range(10)], FACTS, target_name="digit")
    return splits_with_validation(spec, _split("train_32x32.mat"), _split("test_32x32.mat"), n_val, split_seed)


def _split(name: str) -> ImagesAndLabels:
    return parse_mat(read_data_file(f"SVHN/{name}", SHA256[name], [URL + name]))


def parse_mat(content: bytes) -> ImagesAndLabels:
    """Images from X (height, width, channels, n) and labels from y (n, 1), where 10 stands for the digit 0."""
    from scipy.io import loadmat

    arrays = loadmat(io.BytesIO(content), variable_names=["X", "y"])
    return np.ascontiguousarray(arrays["X"].transpose(3, 2, 0, 1)), arrays["y"][:, 0] % 10
