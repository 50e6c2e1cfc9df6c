"""Any table of OpenML, by its number: data=openml data.id=31.

J. Vanschoren et al., "OpenML: networked science in machine learning", 2013.
"""

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
from zoo.data.tables._sklearn_names import openml_metadata
from zoo.data.tables._sklearn_sets import FoldOptions

HASHES = "openml.org/{}.sha256.json"  # of the files of a table's metadata, kept beside them
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
    """Load a table by scikit-learn, from ZOO_DATA if it is there, else from the cache or the network."""
    own = folder_from_variable("ZOO_DATA") or Path("<folder>")
    home = own if _is_in(own / "openml", id) else cache_folder()
    folder = home / "openml"
    is_local = _is_in(folder, id)
    if is_local:
        _check(folder, id)
    bunch = _fetch_from(home, id, target, own)
    if bunch.frame is None:
        raise UserError(f"OpenML's table {id} is sparse; only dense ones are read: choose another data.id")
    if not is_local:
        write_text(folder / HASHES.format(id), json.dumps(_hash_metadata(folder, id)))
    return bunch


def _is_in(folder: Path, id: int) -> bool:
    return (folder / openml_metadata(id)[0]).is_file()


def _fetch_from(home: Path, id: int, target: str | None, own: Path) -> Any:
    from sklearn.datasets import fetch_openml

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A network error")
            return fetch_openml(data_id=id, target_column=target or "default-target", data_home=home)
    except KeyError as error:
        raise UserError(f"openml table {id} has no column '{target}' for data.target: see openml.org/d/{id}") from error
    except OSError as error:
        raise UserError(
            f"cannot fetch table {id} from openml.org: {str(error).strip('<>')}\n"
            f"where there is network, run this once; then copy {cache_folder() / 'openml'} to {own / 'openml'} "
            "and set ZOO_DATA to the folder around it"
        ) from error


def _hash_metadata(folder: Path, id: int) -> dict[str, str]:
    """The sha256 of each file of a table's metadata; one of them holds the hash of the data."""
    return {file: sha256_of(folder / file) for file in openml_metadata(id) if (folder / file).is_file()}


def _check(folder: Path, id: int) -> None:
    """Raise UserError if the metadata of a table changed since it was fetched."""
    try:
        wanted = json.loads((folder / HASHES.format(id)).read_text())
    except (OSError, ValueError):
        echo(f"the data of table {id} in {folder} are checked by the hash in its metadata, which itself is not checked")
        return
    found = _hash_metadata(folder, id)
    if changed := [file for file in wanted if found.get(file) != wanted[file]]:
        raise UserError(f"{folder / changed[0]} changed since it was fetched\nremove {folder} to fetch it again")
