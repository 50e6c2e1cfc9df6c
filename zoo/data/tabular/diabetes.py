"""Diabetes: disease progression one year on, from 10 measures of a patient. 442 rows."""

from sklearn.datasets import load_diabetes

from zoo.data import DATA
from zoo.data.splits import Splits
from zoo.data.tabular._sklearn import splits_of


@DATA.register("diabetes")
def diabetes(*, split_seed: int = 0) -> Splits:
    """264 / 89 / 89 rows of 10 numbers, one number to predict."""
    bunch = load_diabetes()
    return splits_of(
        "diabetes",
        bunch,
        split_seed=split_seed,
        target_name="disease progression (score, 25 to 346)",
        licence="none stated; free for research use",
        source="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least Angle Regression, 2004; in scikit-learn",
    )
