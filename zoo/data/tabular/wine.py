"""Wine: which of three cultivars, from 13 chemical measures. 178 rows."""

from sklearn.datasets import load_wine

from zoo.data import DATA
from zoo.data.splits import Splits
from zoo.data.tabular._sklearn import splits_of


@DATA.register("wine")
def wine(*, split_seed: int = 0) -> Splits:
    """106 / 36 / 36 rows of 13 numbers, three classes."""
    bunch = load_wine()
    return splits_of(
        "wine",
        bunch,
        split_seed=split_seed,
        classes=[str(name) for name in bunch.target_names],
        target_name="cultivar",
        licence="CC BY 4.0",
        source="S. Aeberhard, M. Forina, UCI Machine Learning Repository, 1992; in scikit-learn",
    )
