"""Fashion-MNIST: 70,000 pictures of clothes in MNIST's format. H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747."""

from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec
from zoo.data.images._official_splits import idx_splits
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
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
    return read_data_file(f"FashionMNIST/raw/{name}", SHA256[name], urls)
