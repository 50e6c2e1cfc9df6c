"""Digits: handwritten digits as 64 counts of inked pixels, 0 to 16. 1,797 rows."""

from sklearn.datasets import load_digits

from zoo.data import DATA
from zoo.data.splits import Splits
from zoo.data.tabular._sklearn import splits_of


@DATA.register("digits")
def digits(*, split_seed: int = 0) -> Splits:
    """1,077 / 360 / 360 rows of 64 numbers, ten classes."""
    bunch = load_digits()
    return splits_of(
        "digits",
        bunch,
        split_seed=split_seed,
        classes=[str(name) for name in bunch.target_names],
        target_name="digit",
        licence="CC BY 4.0",
        source="E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998; in scikit-learn",
    )
