"""CIFAR-100: 60,000 small photos of a hundred kinds of thing in twenty groups, read from the binary version.

A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from zoo.core.errors import unknown_name
from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec
from zoo.data.images._official_splits import ImagesAndLabels, parse_cifar, splits_with_validation
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
MD5 = "03b5dce01913d631647c71ecec9e9cb8"  # of the archive
GROUPS = {
    "aquatic mammals": "beaver, dolphin, otter, seal, whale",
    "fish": "aquarium fish, flatfish, ray, shark, trout",
    "flowers": "orchid, poppy, rose, sunflower, tulip",
    "food containers": "bottle, bowl, can, cup, plate",
    "fruit and vegetables": "apple, mushroom, orange, pear, sweet pepper",
    "household electrical devices": "clock, keyboard, lamp, telephone, television",
    "household furniture": "bed, chair, couch, table, wardrobe",
    "insects": "bee, beetle, butterfly, caterpillar, cockroach",
    "large carnivores": "bear, leopard, lion, tiger, wolf",
    "large man-made outdoor things": "bridge, castle, house, road, skyscraper",
    "large natural outdoor scenes": "cloud, forest, mountain, plain, sea",
    "large omnivores and herbivores": "camel, cattle, chimpanzee, elephant, kangaroo",
    "medium-sized mammals": "fox, porcupine, possum, raccoon, skunk",
    "non-insect invertebrates": "crab, lobster, snail, spider, worm",
    "people": "baby, boy, girl, man, woman",
    "reptiles": "crocodile, dinosaur, lizard, snake, turtle",
    "small mammals": "hamster, mouse, rabbit, shrew, squirrel",
    "trees": "maple tree, oak tree, palm tree, pine tree, willow tree",
    "vehicles 1": "bicycle, bus, motorcycle, pickup truck, train",
    "vehicles 2": "lawn mower, rocket, streetcar, tank, tractor",
}
LABELS = {  # in the order of a record's label bytes; both kinds are numbered by the alphabet
    "coarse": sorted(GROUPS),
    "fine": sorted(name for members in GROUPS.values() for name in members.split(", ")),
}
FACTS = Facts(
    task="classification",
    rows="45,000 / 5,000 / 10,000",
    inputs="image 3 x 32 x 32 (uint8)",
    licence="none stated; cite the report",
    source="CIFAR-100 of A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    network="fetched",
)


@DATA.register("cifar100")
def cifar100(*, label: str = "fine", n_val: int = 5000, split_seed: int = 0) -> Splits:
    """45,000 / 5,000 / 10,000 colour images of 32 by 32 pixels; a hundred "fine" or twenty "coarse" classes."""
    if label not in LABELS:
        raise unknown_name("label of cifar100", label, LABELS)
    spec = image_spec("cifar100", (3, 32, 32), LABELS[label], FACTS, target_name="object")
    return splits_with_validation(spec, _split("train", label), _split("test", label), n_val, split_seed)


def _split(name: str, label: str) -> ImagesAndLabels:
    member = f"cifar-100-binary/{name}.bin"
    images, labels = parse_cifar([read_data_file(member, None, [URL], member=member, packed=f"md5:{MD5}")], n_labels=2)
    return images, labels[:, list(LABELS).index(label)]
