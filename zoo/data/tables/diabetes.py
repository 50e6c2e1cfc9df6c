"""Diabetes: disease progression one year on, from 10 measures of a patient. 442 rows."""

from zoo.data import DATA, Facts
from zoo.data.splits import Splits
from zoo.data.tables._sklearn_sets import sklearn_splits

FACTS = Facts(
    task="regression",
    rows="264 / 89 / 89",
    inputs="10 numbers",
    licence="none stated; free for research use",
    source="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least Angle Regression, 2004; in scikit-learn",
)


@DATA.register("diabetes")
def diabetes(*, split_seed: int = 0, fold: int | None = None, n_folds: int = 5) -> Splits:
    """264 / 89 / 89 rows of 10 numbers, one number to predict; or one of `n_folds` folds as test split."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    return sklearn_splits(
        "diabetes",
        bunch,
        FACTS,
        target="disease progression (score, 25 to 346)",
        split_seed=split_seed,
        fold=fold,
        n_folds=n_folds,
    )
