"""MNIST-1D: ten digits drawn as curves of 40 points; padded, scaled, moved, sheared and noisy. Generated.

S. Greydanus, D. Kobak, "Scaling down deep learning with MNIST-1D" (arXiv 2011.14439). The same numbers, draw for draw,
as the authors' package `mnist1d` with its default arguments; seed 42 is the published set.
"""

import functools

import numpy as np
import torch

from zoo.core.spec import Column, DataSpec
from zoo.data import DATA, Facts
from zoo.data.hashing import hash_rows
from zoo.data.random_split import carve
from zoo.data.sequences.inputs.padding import sequence_inputs
from zoo.data.splits import Splits, TensorSplit

TEMPLATES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
N, N_TRAIN, N_STEPS = 5000, 4000, 40
FACTS = Facts(
    task="classification",
    rows="3,600 / 400 / 1,000",
    inputs="sequence of 40 steps, 1 channel",
    licence="Apache-2.0",
    source="S. Greydanus, D. Kobak, MNIST-1D, 2020; generated",
)


@DATA.register("mnist1d")
def mnist1d(*, seed: int = 42, n_val: int = 400, split_seed: int = 0) -> Splits:
    """Generate 3,600 / 400 / 1,000 curves of ten classes; another `seed` gives others."""
    curves, labels = generate(seed)
    whole = TensorSplit(
        sequence=torch.tensor(curves[:, :, None], dtype=torch.float32),  # (n, 40, 1)
        target=torch.tensor(labels),
    )
    whole.with_hashes(hash_rows(np.array([(seed, number) for number in range(len(labels))])))
    rest, val = carve(N_TRAIN, n_val, seed=split_seed, stratify=labels[:N_TRAIN])
    return Splits(
        DataSpec(
            name="mnist1d",
            task="classification",
            inputs=sequence_inputs(1, N_STEPS),
            n_outputs=10,
            class_names=[str(digit) for digit in range(10)],
            columns=[Column("height")],
            target_name="digit",
            licence=FACTS.licence,
            source=FACTS.source,
        ),
        train=whole.subset(rest),
        val=whole.subset(val),
        test=whole.subset(range(N_TRAIN, N)),
    )


def generate(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Generate curves (5000, 40) of mean 0 and deviation 1, and digits (5000,), in random order."""
    random = np.random.RandomState(seed)
    templates = np.array(TEMPLATES)
    templates = (templates - templates.mean(1, keepdims=True)) / templates.std(1, keepdims=True)
    templates = (templates - templates[:, :1]) / 6  # each starts and ends at 0
    curves = np.stack([draw(template, random) for template in templates for _ in range(N // len(templates))])
    labels = np.repeat(np.arange(len(templates)), N // len(templates))
    order = random.permutation(N)
    return (curves[order] - curves.mean()) / curves.std(), labels[order]


def draw(template: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Draw one curve (40,) from the template (12,) of its digit."""
    from scipy.ndimage import gaussian_filter

    curve = np.append(template + 1e-8, np.zeros(36 + int(random.rand() * 25)))  # pad
    curve = _resample(curve, 72)
    curve *= 1 + 0.4 * (random.rand() - 0.5)  # scale
    curve = np.roll(curve, random.choice(48))  # move
    curve = np.where(curve != 0, curve, gaussian_filter(0.25 * random.randn(72), 2))
    curve += 0.02 * random.randn(72)
    curve -= 0.75 * (random.rand() - 0.5) * (_grid(72) - 0.5)  # shear
    return _resample(curve, N_STEPS)


def _resample(curve: np.ndarray, n: int) -> np.ndarray:
    return np.interp(_grid(n), _grid(len(curve)), curve)


@functools.cache
def _grid(n: int) -> np.ndarray:
    return np.linspace(0, 1, n)
