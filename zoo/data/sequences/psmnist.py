"""Permuted sequential MNIST: each digit as 784 pixels in one fixed random order, so that neighbours are far apart.

Q. Le, N. Jaitly, G. Hinton, "A simple way to initialize recurrent networks of rectified linear units"
(arXiv 1504.00941). The paper's order is not published; this one, numpy's for seed 92916, is used by most later
code.
"""

import numpy as np

from zoo.data import DATA, Facts
from zoo.data.sequences.splits.mnist_pixels import pixel_splits
from zoo.data.splits import Splits

SEED = 92916
FACTS = Facts(
    task="classification",
    rows="55,000 / 5,000 / 10,000",
    inputs="sequence of 784 steps, 1 channel (uint8)",
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges, MNIST",
    network="fetched",
)


@DATA.register("psmnist")
def psmnist(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """Load 55,000 / 5,000 / 10,000 sequences of 784 pixels, ten classes; the splits of `mnist`."""
    return pixel_splits("psmnist", n_val, split_seed, np.random.RandomState(SEED).permutation(784).tolist())
