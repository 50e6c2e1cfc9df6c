"""Wine: which of three cultivars, from 13 chemical measures. 178 rows."""

from zoo.data import DATA, Facts
from zoo.data.options import takes_options
from zoo.data.splits import Splits
from zoo.data.tables._sklearn_sets import FoldOptions, sklearn_splits

FACTS = Facts(
    task="classification",
    rows="106 / 36 / 36",
    inputs="13 numbers",
    licence="CC BY 4.0",
    source="S. Aeberhard, M. Forina, UCI Machine Learning Repository, 1992; in scikit-learn",
)


@DATA.register("wine")
@takes_options(FoldOptions)
def wine(options: FoldOptions) -> Splits:
    """106 / 36 / 36 rows of 13 numbers, three classes; or one of `n_folds` folds as test split."""
    from sklearn.datasets import load_wine

    bunch = load_wine()
    return sklearn_splits(
        "wine",
        bunch,
        FACTS,
        options,
        target="cultivar",
        classes=bunch.target_names,
    )
