"""The UCR, UEA and TSER archives: the .ts files of a set, at hand or fetched."""

import importlib.util
import json
import urllib.request
from pathlib import Path
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.sequences.files.ts import parse_ts
from zoo.data.sequences.splits.labelled import divide, sequence_splits
from zoo.data.sources.cache import cache_folder, cached, folder_from_variable
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

HOST = "https://zenodo.org"


def archive_splits(name: str, *, val: int | float, split_seed: int, target: str = "class", **spec: Any) -> Splits:
    """The official splits of the set `name`, with `val` sequences of train, or that share, carved out to validate."""
    files = (f"{name}_{part}.ts" for part in ("TRAIN", "TEST"))
    train, test = (parse_ts(archive_file(name, file), Path(file)) for file in files)
    return sequence_splits(divide(train, test, val=val, split_seed=split_seed, target=target), name=name, **spec)


def archive_file(name: str, file: str) -> bytes:
    """The content of <name>_TRAIN.ts or <name>_TEST.ts: as inside aeon, from ZOO_DATA/<name>, from the cache, or
    fetched into it, and checked by the hash that the set's record at Zenodo has for it where that is known.

    Raises:
        UserError: when there is no such set, or it is neither at hand nor to be fetched.
    """
    own = (folder_from_variable("ZOO_DATA") or Path("<folder>")) / name / file
    (package,) = importlib.util.find_spec("aeon").submodule_search_locations  # type: ignore[union-attr, misc]
    inside = Path(package) / "datasets" / "data" / name / file
    if inside.is_file():
        content = inside.read_bytes()
        if own.is_file() and own.read_bytes() != content:
            echo(f"skipped {own}: not the published file, which comes inside aeon")
        return content
    if own.is_file() and not _kept_at(name).is_file():
        return read_data_file(f"{name}/{file}", None, [])
    number = _record(name)
    try:
        checksum = _checksums(name, number)[file]
        return read_data_file(f"{name}/{file}", None, [f"{HOST}/records/{number}/files/{file}"], packed=checksum)
    except (OSError, ValueError, KeyError, UserError) as error:
        raise UserError(
            f"{name} is not at hand, and could not be fetched: {str(error).strip('<>').splitlines()[0]}\n"
            f"put its files, such as {file}, at {own.parent} and set ZOO_DATA to {own.parent.parent}"
        ) from error


def _record(name: str) -> int:
    """The number of the set's record at Zenodo."""
    from aeon.datasets.tsc_datasets import tsc_zenodo
    from aeon.datasets.tser_datasets import tsr_zenodo

    records = {**tsr_zenodo, **tsc_zenodo}
    if name not in records:
        raise unknown_name("set of the UCR, UEA and TSER archives", name, records)
    return records[name]


def _checksums(name: str, number: int) -> dict[str, str]:
    """The hash that the record has for each file, kept, so that files are checked without network."""
    path = _kept_at(name)
    if not path.is_file():
        with urllib.request.urlopen(f"{HOST}/api/records/{number}", timeout=30) as response:
            found = json.dumps({entry["key"]: entry["checksum"] for entry in json.load(response)["files"]})
        cached(path, lambda place: place.write_text(found))
    return json.loads(path.read_text())


def _kept_at(name: str) -> Path:
    return cache_folder() / "ucr" / f"{name}.json"
