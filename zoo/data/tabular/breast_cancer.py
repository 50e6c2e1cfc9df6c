"""Breast cancer Wisconsin (diagnostic): is a tumour malignant, from 30 measures of cell nuclei. 569 rows."""

from sklearn.datasets import load_breast_cancer

from zoo.data import DATA
from zoo.data.splits import Splits
from zoo.data.tabular._sklearn import splits_of


@DATA.register("breast_cancer")
def breast_cancer(*, split_seed: int = 0) -> Splits:
    """341 / 114 / 114 rows of 30 numbers, two classes."""
    bunch = load_breast_cancer()
    return splits_of(
        "breast_cancer",
        bunch,
        split_seed=split_seed,
        classes=[str(name) for name in bunch.target_names],
        target_name="diagnosis",
        licence="CC BY 4.0",
        source="W. Wolberg et al., UCI Machine Learning Repository, 1993; in scikit-learn",
    )
