"""Estimators of scikit-learn, fitted to a matrix of features; their predictions become outputs of a task."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.spec import DataSpec

Predict = Callable[[Any], Tensor]  # gives outputs for a matrix, dense or sparse
LEAST = 1e-6  # probability
WORK = 1e10  # multiplications of a linear classifier, about
N_TREES = 400  # over all outputs, about


def fit_linear(spec: DataSpec, target: Tensor, matrix: Any, before: Any = None, decay: float = 1.0) -> Predict:
    """Fit logistic regression, for classes or each label, or ridge regression.

    Args:
        spec: of the data.
        target: of the samples (n, ...).
        matrix: their features (n, n_features), dense or sparse.
        before: the transformer of the features; None standardises them.
        decay: of the weights, on their squares.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n_values = getattr(matrix, "nnz", None) or np.prod(matrix.shape)
    n_steps = _affordable(WORK / n_values / spec.n_outputs, 5, 200, spec)
    estimators = LogisticRegression(C=1 / decay, max_iter=n_steps), Ridge(decay)
    return _fit(spec, target, matrix, *(make_pipeline(before or StandardScaler(), one) for one in estimators))


def fit_boosting(spec: DataSpec, target: Tensor, matrix: np.ndarray, categorical: np.ndarray) -> Predict:
    """Fit gradient boosting on histograms; `categorical` (n_features,) marks the columns of codes."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multioutput import MultiOutputRegressor

    options: Any = {"random_state": 0, "categorical_features": categorical}
    n_trees = _affordable(N_TREES / spec.n_outputs, 10, 100, spec)  # for each output
    classifier = HistGradientBoostingClassifier(max_iter=n_trees, **options)
    regressor = MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=n_trees, **options))
    return _fit(spec, target, matrix, classifier, regressor)


def _affordable(n: float, least: int, most: int, spec: DataSpec) -> int:
    """How many steps or trees to take, at most; ValueError where so few are no reference."""
    if n < least:
        raise ValueError(f"{spec.n_outputs:,} outputs would take minutes")
    return min(round(n), most)


def _fit(spec: DataSpec, target: Tensor, matrix: Any, classifier: Any, regressor: Any) -> Predict:
    """Fit what the task of the data asks for."""
    from sklearn.multiclass import OneVsRestClassifier

    estimator = {"classification": classifier, "multi_label": OneVsRestClassifier(classifier), "regression": regressor}
    answer = {"classification": _class_logits, "multi_label": _label_logits, "regression": _values}[spec.task]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about convergence, constant columns and labels that all samples have
        fitted = estimator[spec.task].fit(matrix, target.numpy())
    return lambda new: answer(spec, fitted, new)


def _class_logits(spec: DataSpec, classifier: Any, matrix: Any) -> Tensor:
    """Logarithms of probabilities (n, n_classes), of classes that no sample had too."""
    probabilities = np.zeros((matrix.shape[0], spec.n_outputs))
    probabilities[:, classifier.classes_] = classifier.predict_proba(matrix)
    return torch.from_numpy(probabilities.clip(LEAST)).log()


def _label_logits(spec: DataSpec, classifier: Any, matrix: Any) -> Tensor:
    probabilities = classifier.predict_proba(matrix)[:, -spec.n_outputs :]  # of a single label also that of its absence
    return torch.from_numpy(probabilities.clip(LEAST, 1 - LEAST)).logit()


def _values(spec: DataSpec, regressor: Any, matrix: Any) -> Tensor:
    values = torch.from_numpy(regressor.predict(matrix)).view(matrix.shape[0], spec.n_outputs)
    return values.to(getattr(torch, spec.target.dtype))
