"""Baselines on tables: a linear model, and gradient boosting, of the columns as the zoo reads them."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from zoo.baselines import BASELINES
from zoo.baselines._estimators import fit_boosting, fit_linear
from zoo.core.spec import DataSpec

MOST_CATEGORIES = 255  # of a column that trees split by sets of categories; others are numbers to them


@BASELINES.register("classification/logistic regression")
@BASELINES.register("multi_label/logistic regression")
@BASELINES.register("regression/ridge regression")
def linear(
    spec: DataSpec, target: Tensor, numeric: Tensor | None = None, categorical: Tensor | None = None
) -> Callable[..., Tensor]:
    """A linear model of standardised numbers, the mean where one is missing, and of one-hot categories."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    n_numeric = spec.sizes.get("n_numeric", 0)
    numbers = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0))
    encoders = {"numeric": numbers, "categorical": OneHotEncoder(handle_unknown="ignore")}
    columns = {"numeric": slice(0, n_numeric), "categorical": slice(n_numeric, None)}
    encoded = ColumnTransformer([(name, encoders[name], columns[name]) for name in spec.inputs])
    predict = fit_linear(spec, target, _matrix(numeric, categorical), encoded)
    return lambda numeric=None, categorical=None: predict(_matrix(numeric, categorical))


@BASELINES.register("classification/gradient boosting")
@BASELINES.register("multi_label/gradient boosting")
@BASELINES.register("regression/gradient boosting")
def boosting(
    spec: DataSpec, target: Tensor, numeric: Tensor | None = None, categorical: Tensor | None = None
) -> Callable[..., Tensor]:
    """Trees on histograms, which take missing values and categories as they are."""
    sizes = np.array([0] * spec.sizes.get("n_numeric", 0) + list(spec.sizes.get("cardinalities", ())))
    predict = fit_boosting(spec, target, _matrix(numeric, categorical), (sizes > 0) & (sizes <= MOST_CATEGORIES))
    return lambda numeric=None, categorical=None: predict(_matrix(numeric, categorical))


def _matrix(numeric: Tensor | None, categorical: Tensor | None) -> np.ndarray:
    """Numbers and codes side by side, float64 (n, n_columns)."""
    return np.concatenate([part.double().numpy() for part in (numeric, categorical) if part is not None], axis=1)
