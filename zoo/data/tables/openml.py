"""Any table of OpenML by its number: `data=openml data.id=31`. J. Vanschoren et al., "OpenML", 2013."""

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.core.atomic_files import sha256_of, write_text
from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data import DATA, Facts
from zoo.data.sources.cache import cache_folder, folder_from_variable
from zoo.data.splits import Splits
from zoo.data.tables._row_splits import split_rows
from zoo.data.tables._table import table_splits

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


@DATA.register("openml")
def openml(
    *,
    id: int | None = None,
    target: str | None = None,
    split_seed: int = 0,
    fold: int | None = None,
    n_folds: int = 5,
) -> Splits:
    """The table openml.org/d/`id`, to predict its own target or the column `target`.

    60 % / 20 % / 20 % of the rows, stratified by class; or one of `n_folds` folds as test split.
    """
    if id is None:
        raise UserError("data=openml needs the number of a table, as in openml.org/d/31: data.id=31")
    bunch = _fetch(id, target)
    if len(bunch.target_names) != 1:
        named = "several targets" if bunch.target_names else "no target"
        raise UserError(
            f"OpenML names {named} for table {id}; give one, data.target=: {', '.join(bunch.feature_names)}"
        )
    column = bunch.frame[bunch.target_names[0]]
    is_class = not pd.api.types.is_numeric_dtype(column)
    rows = split_rows(
        "stratified" if is_class else "random",
        column.factorize()[0],
        val_share=0.2,
        test_share=0.2,
        split_seed=split_seed,
        fold=fold,
        n_folds=n_folds,
    )
    nominal = bunch.frame.select_dtypes("category").columns.drop(column.name, errors="ignore")
    return table_splits(
        bunch.details["name"],
        bunch.frame,
        column.name,
        **rows._asdict(),
        kinds=dict.fromkeys(nominal, "categorical"),
        task="classification" if is_class else "regression",
        licence=bunch.details.get("licence", "none stated"),
        source=bunch.url,
    )


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
