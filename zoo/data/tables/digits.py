"""Digits: handwritten digits as 64 counts of inked pixels, 0 to 16. 1,797 rows."""

from zoo.data import DATA, Facts
from zoo.data.options import takes_options
from zoo.data.splits import Splits
from zoo.data.tables._sklearn_sets import FoldOptions, sklearn_splits

FACTS = Facts(
    task="classification",
    rows="1,077 / 360 / 360",
    inputs="64 numbers",
    licence="CC BY 4.0",
    source="E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998; in scikit-learn",
)


@DATA.register("digits")
@takes_options(FoldOptions)
def digits(options: FoldOptions) -> Splits:
    """1,077 / 360 / 360 rows of 64 numbers, ten classes; or one of `n_folds` folds as test split."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return sklearn_splits(
        "digits",
        bunch,
        FACTS,
        options,
        target="digit",
        classes=bunch.target_names,
    )
