"""Diabetes: disease progression one year on, from 10 measures of a patient. 442 rows."""

from zoo.data import DATA, Facts
from zoo.data.options import takes_options
from zoo.data.splits import Splits
from zoo.data.tables._sklearn_sets import FoldOptions, sklearn_splits

FACTS = Facts(
    task="regression",
    rows="264 / 89 / 89",
    inputs="10 numbers",
    licence="none stated; free for research use",
    source="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least Angle Regression, 2004; in scikit-learn",
)


@DATA.register("diabetes")
@takes_options(FoldOptions)
def diabetes(options: FoldOptions) -> Splits:
    """264 / 89 / 89 rows of 10 numbers, one number to predict; or one of `n_folds` folds as test split."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    return sklearn_splits(
        "diabetes",
        bunch,
        FACTS,
        options,
        target="disease progression (score, 25 to 346)",
    )
