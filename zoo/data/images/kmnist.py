"""Kuzushiji-MNIST: 70,000 cursive Japanese characters in MNIST's format. T. Clanuwat et al., arXiv 1812.01718."""

from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec
from zoo.data.images._official_splits import idx_splits
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

URL = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
MD5 = {  # of the packed files
    "train-images-idx3-ubyte": "bdb82020997e1d708af4cf47b453dcf7",
    "train-labels-idx1-ubyte": "e144d726b3acfaa3e44228e80efcd344",
    "t10k-images-idx3-ubyte": "5c965bf0a639b31b8f53240b1b52f4d7",
    "t10k-labels-idx1-ubyte": "7320c461ea6c1c855c0b718fb2a4b134",
}
CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
FACTS = Facts(
    task="classification",
    rows="55,000 / 5,000 / 10,000",
    inputs="image 1 x 28 x 28 (uint8)",
    licence="CC BY-SA 4.0",
    source="KMNIST (CODH), adapted from the Kuzushiji data set (NIJL and others), doi:10.20676/00000341",
    network="fetched",
)


@DATA.register("kmnist")
def kmnist(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """55,000 / 5,000 / 10,000 grey images of 28 by 28 pixels, ten classes."""
    spec = image_spec("kmnist", (1, 28, 28), CLASSES, FACTS, target_name="character")
    return idx_splits(spec, _content, n_val, split_seed)


def _content(name: str) -> bytes:
    return read_data_file(f"KMNIST/raw/{name}", None, [f"{URL}{name}.gz"], packed=f"md5:{MD5[name]}")
