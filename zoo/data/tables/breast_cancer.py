"""Breast cancer Wisconsin (diagnostic): is a tumour malignant, from 30 measures of cell nuclei. 569 rows."""

from zoo.data import DATA, Facts
from zoo.data.options import takes_options
from zoo.data.splits import Splits
from zoo.data.tables._sklearn_sets import FoldOptions, read_sklearn_csv, sklearn_splits

FACTS = Facts(
    task="classification",
    rows="341 / 114 / 114",
    inputs="30 numbers",
    licence="CC BY 4.0",
    source="W. Wolberg et al., UCI Machine Learning Repository, 1993; in scikit-learn",
)

MEASURES = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry"),
    "fractal dimension",
)


@DATA.register("breast_cancer")
@takes_options(FoldOptions)
def breast_cancer(options: FoldOptions) -> Splits:
    """341 / 114 / 114 rows of 30 numbers, two classes; or one of `n_folds` folds as test split."""
    headings = [
        *(f"mean {name}" for name in MEASURES),
        *(f"{name} error" for name in MEASURES),
        *(f"worst {name}" for name in MEASURES),
    ]
    return sklearn_splits(
        "breast_cancer",
        read_sklearn_csv("breast_cancer.csv", headings),
        FACTS,
        options,
        target="diagnosis",
        classes=("malignant", "benign"),
    )
