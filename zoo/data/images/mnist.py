"""MNIST: 70,000 handwritten digits, the official 60,000 / 10,000. Y. LeCun et al., Proc. IEEE 1998."""

from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec
from zoo.data.images._official_splits import idx_splits
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FACTS = Facts(
    task="classification",
    rows="55,000 / 5,000 / 10,000",
    inputs="image 1 x 28 x 28 (uint8)",
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges, MNIST",
    network="fetched",
)


@DATA.register("mnist")
def mnist(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """55,000 / 5,000 / 10,000 grey images of 28 by 28 pixels, ten classes."""
    spec = image_spec("mnist", (1, 28, 28), [str(digit) for digit in range(10)], FACTS, target_name="digit")
    return idx_splits(spec, _content, n_val, split_seed)


def _content(name: str) -> bytes:
    return read_data_file(f"MNIST/raw/{name}", SHA256[name], [f"{mirror}{name}.gz" for mirror in MIRRORS])
