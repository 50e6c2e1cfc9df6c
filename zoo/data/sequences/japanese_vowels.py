"""JapaneseVowels: which of nine speakers said /ae/, from 7 to 29 steps of 12 cepstral coefficients.

M. Kudo, J. Toyama, M. Shimbo, "Multidimensional curve classification using passing-through regions", 1999. The .ts
files of the UEA archive that come inside aeon, with the official split of 270 / 370.
"""

import os

import numpy as np
import torch

from zoo.data import DATA
from zoo.data.files import cache_folder
from zoo.data.sequences._sequences import pad
from zoo.data.splits import Splits, TensorSplit, carve
from zoo.spec import DataSpec, Input


@DATA.register("japanese_vowels")
def japanese_vowels(*, n_val: int = 27, split_seed: int = 0) -> Splits:
    """243 / 27 / 370 sequences of 12 channels; a tenth of train is carved out to validate, stratified by speaker."""
    train, test = _split("train"), _split("test")
    rest, val = carve(len(train), n_val, seed=split_seed, stratify=train.columns["target"].numpy())
    return Splits(
        DataSpec(
            name="japanese_vowels",
            task="classification",
            inputs={
                "sequence": Input((None, 12), axes=("time", "n_channels"), scaled_axis=1),
                "lengths": Input(dtype="int64"),
            },
            n_outputs=9,
            class_names=[f"speaker {number}" for number in range(1, 10)],
            columns=[f"cepstrum {number}" for number in range(1, 13)],
            target_name="speaker",
            licence="CC BY 4.0",
            source="M. Kudo, J. Toyama, M. Shimbo, UCI Machine Learning Repository, 1999; in aeon",
        ),
        train=train.subset(rest),
        val=train.subset(val),
        test=test,
    )


def _split(name: str) -> TensorSplit:
    os.environ.setdefault("AEON_DATA", str(cache_folder() / "aeon"))  # aeon makes this folder; home may be read-only
    from aeon.datasets import load_japanese_vowels

    series, labels = load_japanese_vowels(split=name)
    sequence, lengths = pad([torch.tensor(np.asarray(one), dtype=torch.float32).T for one in series])
    return TensorSplit(sequence=sequence, lengths=lengths, target=torch.tensor(labels.astype(int) - 1))
