"""The tables that come inside scikit-learn, split at random once and for all: 60 % train, 20 % val, 20 % test."""

from typing import Any

import torch

from zoo.data.splits import Splits, TensorSplit, carve
from zoo.spec import DataSpec, Input


def splits_of(name: str, bunch: Any, *, split_seed: int, classes: list[str] | None = None, **spec: Any) -> Splits:
    """The splits of a scikit-learn data set, stratified by class where `classes` are given."""
    numeric = torch.tensor(bunch.data, dtype=torch.float32)  # (n, n_numeric)
    target = torch.tensor(bunch.target, dtype=torch.int64 if classes else torch.float32)
    target = target if classes else target[:, None]
    labels = bunch.target if classes else None
    rest, test = carve(len(numeric), 0.2, seed=split_seed, stratify=labels)
    train, val = carve(len(rest), 0.25, seed=split_seed, stratify=None if labels is None else labels[rest])
    whole = TensorSplit(numeric=numeric, target=target)
    return Splits(
        DataSpec(
            name=name,
            task="classification" if classes else "regression",
            inputs={"numeric": Input((numeric.shape[1],), axes=("n_numeric",), scaled_axis=0)},
            n_outputs=len(classes) if classes else 1,
            target=Input(dtype="int64") if classes else Input((1,)),
            class_names=classes or (),
            columns=[str(column) for column in bunch.feature_names],
            **spec,
        ),
        train=whole.subset(rest[train]),
        val=whole.subset(rest[val]),
        test=whole.subset(test),
    )
