"""Any table of OpenML by its number: `data=openml data.id=31`. J. Vanschoren et al., "OpenML", 2013."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.core.atomic_files import sha256_of, write_text
from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data import DATA, Facts
from zoo.data.options import takes_options
from zoo.data.sources.cache import cache_folder, folder_from_variable
from zoo.data.splits import Splits
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._row_splits import SplitPlan, split_rows
from zoo.data.tables._sklearn_sets import FoldOptions

TOLD = "openml.org/api/v1/json/data/{}{}.gz"  # what scikit-learn keeps of what openml.org tells of a table
HASHES = "openml.org/{}.sha256.json"  # of these files, kept beside them
FACTS = Facts(
    task="any",
    rows="60 % / 20 % / 20 %",
    inputs="numbers, categories, dates",
    licence="each set its own",
    source="openml.org",
    network="fetched",
)


@dataclass(frozen=True, kw_only=True)
class OpenmlOptions(FoldOptions):
    """Options of data=openml, beside those of the split.

    Args:
        id: the number of the table, as in openml.org/d/31.
        target: heading of the column to predict; None is the table's own target.
    """

    id: int | None = None
    target: str | None = None


@DATA.register("openml")
@takes_options(OpenmlOptions)
def openml(options: OpenmlOptions) -> Splits:
    """60 % / 20 % / 20 % of the rows of a table, stratified by class; or one of `n_folds` folds as test split."""
    if options.id is None:
        raise UserError("data=openml needs the number of a table, as in openml.org/d/31: data.id=31")
    bunch = _fetch(options.id, options.target)
    if len(bunch.target_names) != 1:
        named = "several targets" if bunch.target_names else "no target"
        names = ", ".join(bunch.feature_names)
        raise UserError(f"OpenML names {named} for table {options.id}; choose one, data.target=: {names}")
    column = bunch.frame[bunch.target_names[0]]
    is_class = not pd.api.types.is_numeric_dtype(column)
    plan = SplitPlan(
        kind="stratified" if is_class else "random",
        split_seed=options.split_seed,
        fold=options.fold,
        n_folds=options.n_folds,
    )
    nominal = bunch.frame.select_dtypes("category").columns.drop(column.name, errors="ignore")
    facts = FACTS._replace(
        task="classification" if is_class else "regression",
        licence=bunch.details.get("licence", "none stated"),
        source=bunch.url,
    )
    kinds = dict.fromkeys(nominal, "categorical")
    data = TableData(bunch.details["name"], bunch.frame, column.name, facts, kinds=kinds)
    return build_splits(data, split_rows(plan, column.factorize()[0]))


def _fetch(id: int, target: str | None) -> Any:
    """What scikit-learn gives for a table; from ZOO_DATA if it is there, else from the cache or the network."""
    from sklearn.datasets import fetch_openml

    own = folder_from_variable("ZOO_DATA") or Path("<folder>")
    home = own if (own / "openml" / TOLD.format("", id)).is_file() else cache_folder()
    is_fetched = not (home / "openml" / TOLD.format("", id)).is_file()
    if not is_fetched:
        _check(home / "openml", id)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A network error")
            bunch = fetch_openml(data_id=id, target_column=target or "default-target", data_home=home)
    except KeyError as error:
        raise UserError(f"openml table {id} has no column '{target}' for data.target: see openml.org/d/{id}") from error
    except OSError as error:
        raise UserError(
            f"cannot fetch table {id} from openml.org: {str(error).strip('<>')}\n"
            f"where there is network, run this once; then copy {cache_folder() / 'openml'} to {own / 'openml'} "
            "and set ZOO_DATA to the folder around it"
        ) from error
    if bunch.frame is None:
        raise UserError(f"OpenML's table {id} is sparse; only dense ones are read: choose another data.id")
    if is_fetched:
        write_text(home / "openml" / HASHES.format(id), json.dumps(_hashes(home / "openml", id)))
    return bunch


def _hashes(folder: Path, id: int) -> dict[str, str]:
    """The sha256 of each file that tells of a table; that of its data is in one of them."""
    files = [TOLD.format(what, id) for what in ("", "features/", "qualities/")]
    return {file: sha256_of(folder / file) for file in files if (folder / file).is_file()}


def _check(folder: Path, id: int) -> None:
    """Refuse what tells of a table where it is not as it was fetched."""
    try:
        wanted = json.loads((folder / HASHES.format(id)).read_text())
    except (OSError, ValueError):
        echo(f"the data of table {id} in {folder} are checked by the hash in its description, which itself is not")
        return
    found = _hashes(folder, id)
    if changed := [file for file in wanted if found.get(file) != wanted[file]]:
        raise UserError(f"{folder / changed[0]} is not the file that was fetched\nremove {folder} to fetch it anew")
