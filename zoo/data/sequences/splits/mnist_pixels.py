"""MNIST as sequences of pixels."""

from collections.abc import Sequence

from zoo.core.spec import Column, DataSpec
from zoo.data import load_data
from zoo.data.sequences.inputs.padding import sequence_inputs
from zoo.data.splits import Splits, TensorSplit


def pixel_splits(name: str, n_val: int, split_seed: int, order: Sequence[int] | None = None) -> Splits:
    """Load MNIST with each image as 784 steps of one pixel (uint8), row by row or in another `order`."""
    mnist = load_data("mnist", n_val=n_val, split_seed=split_seed)

    def to_steps(split: TensorSplit) -> TensorSplit:
        pixels = split.columns["image"].view(len(split), -1, 1)  # (n, 784, 1), no copy
        return TensorSplit(sequence=pixels if order is None else pixels[:, order], target=split.columns["target"])

    return Splits(
        DataSpec(
            name=name,
            task="classification",
            inputs=sequence_inputs(1, 784, "uint8"),
            n_outputs=10,
            class_names=mnist.spec.class_names,
            columns=[Column("pixel")],
            target_name=mnist.spec.target_name,
            licence=mnist.spec.licence,
            source=mnist.spec.source,
        ),
        train=to_steps(mnist.train),  # type: ignore[arg-type]
        val=to_steps(mnist.val),  # type: ignore[arg-type]
        test=to_steps(mnist.test),  # type: ignore[arg-type]
    )
