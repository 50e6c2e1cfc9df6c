"""Breast cancer Wisconsin (diagnostic): is a tumour malignant, from 30 measures of cell nuclei. 569 rows."""

from zoo.data import DATA, Facts
from zoo.data.splits import Splits
from zoo.data.tables._sklearn_sets import sklearn_splits

FACTS = Facts(
    task="classification",
    rows="341 / 114 / 114",
    inputs="30 numbers",
    licence="CC BY 4.0",
    source="W. Wolberg et al., UCI Machine Learning Repository, 1993; in scikit-learn",
)


@DATA.register("breast_cancer")
def breast_cancer(*, split_seed: int = 0, fold: int | None = None, n_folds: int = 5) -> Splits:
    """341 / 114 / 114 rows of 30 numbers, two classes; or one of `n_folds` folds as test split."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return sklearn_splits(
        "breast_cancer",
        bunch,
        FACTS,
        target="diagnosis",
        split_seed=split_seed,
        fold=fold,
        n_folds=n_folds,
        classes=bunch.target_names,
    )
