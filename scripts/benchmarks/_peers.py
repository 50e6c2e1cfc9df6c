"""Other libraries' models of tables, by name, each fitted with its own defaults to the splits that the zoo uses.

Numbers that are missing stay NaN, beside the zoo's column that says so; categories are pandas' categories, where one
that is missing or was not seen in training has a code of its own. Models that stop early are fitted to the training
rows and stop by the validation rows; the others are fitted to both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch

from zoo.data.splits import Split, Splits, read

N_TREES, PATIENCE = 2000, 50  # at most, and those after the best on validation


@dataclass(frozen=True)
class Rows:
    """Rows of a table: the columns `x` (n, n_columns) and the targets `y` (n,)."""

    x: pd.DataFrame
    y: np.ndarray


@dataclass(frozen=True)
class Table:
    """The splits of a table of classes or of one value, as other libraries take them."""

    train: Rows
    val: Rows
    test: Rows
    has_classes: bool

    @classmethod
    def of(cls, splits: Splits) -> "Table":
        """Convert the zoo's splits."""
        cardinalities = splits.spec.sizes.get("cardinalities", ())
        parts = [_rows(split, cardinalities) for split in (splits.train, splits.val, splits.test)]
        return cls(parts[0], parts[1], parts[2], splits.spec.task == "classification")

    @property
    def train_and_val(self) -> Rows:
        return Rows(pd.concat([self.train.x, self.val.x]), np.concatenate([self.train.y, self.val.y]))

    @property
    def categorical(self) -> list[str]:
        return [*self.train.x.select_dtypes("category")]

    def score(self, predicted: np.ndarray, rows: Rows) -> float:
        """The accuracy of predicted classes (n,), or the root mean squared error of values."""
        if self.has_classes:
            return float((predicted.ravel() == rows.y).mean())
        return float(np.sqrt(np.square(predicted.ravel() - rows.y).mean()))


def _rows(split: Split, cardinalities: tuple[int, ...]) -> Rows:
    batch = read(split, range(len(split)))  # type: ignore[arg-type]
    n = len(batch["target"])
    numeric, codes = (batch.get(name, torch.empty(n, 0)).numpy() for name in ("numeric", "categorical"))
    columns = {f"number_{i}": column for i, column in enumerate(numeric.T)}
    for i, (column, size) in enumerate(zip(codes.T, cardinalities, strict=True)):
        columns[f"category_{i}"] = pd.Categorical(column, categories=range(size))
    return Rows(pd.DataFrame(columns), batch["target"].numpy().reshape(n))


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Args:
        predict: gives classes or values (n,) for columns (n, n_columns).
        n_parameters: of trees, their leaves; None where the library does not say.
        selects: whether it used the validation rows to choose, so that its score on them says something.
    """

    predict: Callable[[pd.DataFrame], Any]
    n_parameters: int | None = None
    selects: bool = True


def lightgbm(table: Table, seed: int) -> Fitted:
    import lightgbm as lgb

    kind = lgb.LGBMClassifier if table.has_classes else lgb.LGBMRegressor
    model = kind(n_estimators=N_TREES, random_state=seed, n_jobs=torch.get_num_threads(), verbose=-1)
    stop = lgb.early_stopping(PATIENCE, verbose=False)
    model.fit(table.train.x, table.train.y, eval_set=[(table.val.x, table.val.y)], callbacks=[stop])
    trees = model.booster_.dump_model(model.best_iteration_)["tree_info"]
    return Fitted(model.predict, sum(tree["num_leaves"] for tree in trees))


def catboost(table: Table, seed: int) -> Fitted:
    import catboost as cb

    def codes(x: pd.DataFrame) -> pd.DataFrame:
        return x.astype(dict.fromkeys(table.categorical, int))

    options = {"random_seed": seed, "thread_count": torch.get_num_threads(), "cat_features": table.categorical}
    kind = cb.CatBoostClassifier if table.has_classes else cb.CatBoostRegressor
    model = kind(**options, use_best_model=True, allow_writing_files=False, verbose=False)
    model.fit(codes(table.train.x), table.train.y, eval_set=(codes(table.val.x), table.val.y))
    return Fitted(lambda x: model.predict(codes(x)), int(model.get_tree_leaf_counts().sum()))


def xgboost(table: Table, seed: int) -> Fitted:
    import xgboost as xgb

    kind = xgb.XGBClassifier if table.has_classes else xgb.XGBRegressor
    options = {"random_state": seed, "n_jobs": torch.get_num_threads(), "enable_categorical": True}
    model = kind(n_estimators=N_TREES, early_stopping_rounds=PATIENCE, **options)
    model.fit(table.train.x, table.train.y, eval_set=[(table.val.x, table.val.y)], verbose=False)
    trees = model.get_booster()[: model.best_iteration + 1].get_dump()
    return Fitted(model.predict, sum(tree.count("leaf=") for tree in trees))


def hist_gradient_boosting(table: Table, seed: int) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if table.has_classes else HistGradientBoostingRegressor
    model = kind(early_stopping=True, random_state=seed)
    model.fit(table.train.x, table.train.y, X_val=table.val.x, y_val=table.val.y)
    return Fitted(model.predict)


def real_mlp(table: Table, seed: int) -> Fitted:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    return _pytabkit(RealMLP_TD_Classifier if table.has_classes else RealMLP_TD_Regressor, table, seed)


def tabm(table: Table, seed: int) -> Fitted:
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    return _pytabkit(TabM_D_Classifier if table.has_classes else TabM_D_Regressor, table, seed)


def _pytabkit(kind: Any, table: Table, seed: int) -> Fitted:
    """Fit a network of pytabkit, which takes no missing numbers: they become the column's mean."""
    means = table.train.x.drop(columns=table.categorical).mean()
    model = kind(device="cpu", random_state=seed, n_threads=torch.get_num_threads())
    filled = [rows.x.fillna(means) for rows in (table.train, table.val)]
    model.fit(filled[0], table.train.y, filled[1], table.val.y, cat_col_names=table.categorical)
    return Fitted(lambda x: model.predict(x.fillna(means)))


def svc(table: Table, seed: int) -> Fitted:
    from sklearn.svm import SVC

    return _on_scaled(SVC(random_state=seed), table)


def mlp_classifier(table: Table, seed: int) -> Fitted:
    from sklearn.neural_network import MLPClassifier

    return _on_scaled(MLPClassifier(random_state=seed), table)


def linear(table: Table, seed: int) -> Fitted:
    from sklearn.linear_model import LogisticRegression, Ridge

    return _on_scaled(LogisticRegression(max_iter=1000, random_state=seed) if table.has_classes else Ridge(), table)


def _on_scaled(model: Any, table: Table) -> Fitted:
    """Fit a model of scikit-learn to standardised numbers and one-hot categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0))
    encoder = OneHotEncoder(handle_unknown="ignore"), table.categorical
    scaled = make_column_transformer(encoder, remainder=numbers)
    rows = table.train_and_val
    return Fitted(make_pipeline(scaled, model).fit(rows.x, rows.y).predict, selects=False)


@dataclass(frozen=True)
class Peer:
    """A model of another library.

    Args:
        fit: fits it to a table, with a seed.
        package: that has it.
        most_rows: to fit in minutes on two cores.
        task: "classification" if it is for classes alone.
    """

    fit: Callable[[Table, int], Fitted]
    package: str
    most_rows: int | None = None
    task: str | None = None

    def reason(self, table: Table) -> str:
        """Why it is not run on a table; "" if it is."""
        if find_spec(self.package) is None:
            return "not installed: pip install zoo[peers]"
        if self.most_rows is not None and len(table.train.y) > self.most_rows:
            return f"not run: takes minutes with more than {self.most_rows:,} rows"
        return ""


PEERS: Mapping[str, Peer] = {
    "LightGBM": Peer(lightgbm, "lightgbm"),
    "CatBoost": Peer(catboost, "catboost"),
    "XGBoost": Peer(xgboost, "xgboost"),
    "HistGradientBoosting": Peer(hist_gradient_boosting, "sklearn"),
    "RealMLP-TD": Peer(real_mlp, "pytabkit", most_rows=5_000),
    "TabM-D": Peer(tabm, "pytabkit", most_rows=500),
}
CLASSIC: Mapping[str, Peer] = {  # of scikit-learn, which do not stop early
    "SVC": Peer(svc, "sklearn", task="classification"),
    "MLPClassifier": Peer(mlp_classifier, "sklearn", task="classification"),
    "LogisticRegression or Ridge": Peer(linear, "sklearn"),
}
