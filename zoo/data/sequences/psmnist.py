"""Permuted sequential MNIST: each digit as 784 pixels in one fixed random order, so that neighbours lie far apart.

Q. Le, N. Jaitly, G. Hinton, "A simple way to initialize recurrent networks of rectified linear units"
(arXiv 1504.00941). The paper's order is not published; this is the one that most later code shares, numpy's for seed
92916.
"""

import numpy as np

from zoo.data import DATA
from zoo.data.sequences._pixels import PIXEL_FACTS, pixel_splits
from zoo.data.splits import Splits

SEED = 92916
FACTS = PIXEL_FACTS


@DATA.register("psmnist")
def psmnist(*, n_val: int = 5000, split_seed: int = 0) -> Splits:
    """55,000 / 5,000 / 10,000 sequences of 784 pixels, ten classes; the splits of `mnist`."""
    return pixel_splits("psmnist", n_val, split_seed, np.random.RandomState(SEED).permutation(784).tolist())
