"""Fashion-MNIST: 70,000 pictures of clothes in MNIST's form. H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747."""

from zoo.data import DATA, Facts
from zoo.data.files import read
from zoo.data.images._images import idx_splits, image_spec
from zoo.data.splits import Splits

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
MD5 = {  # of the packed files
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}
CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FACTS = Facts(
    task="classification",
    rows="55,000 / 5,000 / 10,000",
    inputs="image 1 x 28 x 28 (uint8)",
    licence="MIT",
    source="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017",
    network="fetched",
)


@DATA.register("fashion_mnist")
def fashion_mnist(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """55,000 / 5,000 / 10,000 grey images of 28 by 28 pixels, ten classes."""
    spec = image_spec("fashion_mnist", (1, 28, 28), CLASSES, FACTS, target_name="article")
    return idx_splits(spec, _content, n_val, split_seed)


def _content(name: str) -> bytes:
    urls = [f"{mirror}{name}.gz" for mirror in MIRRORS]
    return read(f"FashionMNIST/raw/{name}", None, urls, packed=f"md5:{MD5[name]}")
