"""CIFAR-10: 60,000 small photos of ten kinds of thing, the official 50,000 / 10,000, read from the binary version.

A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec
from zoo.data.images._official_splits import ImagesAndLabels, parse_cifar, splits_with_validation
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FACTS = Facts(
    task="classification",
    rows="45,000 / 5,000 / 10,000",
    inputs="image 3 x 32 x 32 (uint8)",
    licence="none stated; cite the report",
    source="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    network="fetched",
)


@DATA.register("cifar10")
def cifar10(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """45,000 / 5,000 / 10,000 colour images of 32 by 32 pixels, ten classes."""
    spec = image_spec("cifar10", (3, 32, 32), CLASSES, FACTS, target_name="object")
    return splits_with_validation(spec, _split("data"), _split("test"), n_val, split_seed)


def _split(prefix: str) -> ImagesAndLabels:
    names = [name for name in SHA256 if name.startswith(prefix)]
    contents = [read_data_file(f"{FOLDER}/{name}", SHA256[name], [URL], member=f"{FOLDER}/{name}") for name in names]
    images, labels = parse_cifar(contents, n_labels=1)
    return images, labels[:, 0]
