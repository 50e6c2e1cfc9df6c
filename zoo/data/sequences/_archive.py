"""The UCR, UEA and TSER archives: the .ts files of a set, at hand or fetched."""

import importlib.util
import json
import os
import urllib.request
from pathlib import Path
from typing import Any

from zoo.data.files import cache_folder, read
from zoo.data.sequences._labelled import divide, sequence_splits
from zoo.data.sequences._ts import read_ts
from zoo.data.splits import Splits
from zoo.errors import UserError, unknown
from zoo.files import write_whole

HOST = "https://zenodo.org"


def archive_splits(name: str, *, val: int | float, split_seed: int, target: str = "class", **spec: Any) -> Splits:
    """The official splits of the set `name`, with `val` sequences of train, or that share, carved out to validate."""
    train, test = (read_ts(archive_file(name, part)) for part in ("TRAIN", "TEST"))
    return sequence_splits(divide(train, test, val=val, split_seed=split_seed, target=target), name=name, **spec)


def archive_file(name: str, part: str) -> Path:
    """<name>_TRAIN.ts or <name>_TEST.ts: from ZOO_DATA/<name>, inside aeon, from the cache, or fetched into it.

    Raises:
        UserError: when there is no such set, or it is neither at hand nor to be fetched.
    """
    file = f"{name}_{part}.ts"
    own, cached = os.environ.get("ZOO_DATA"), cache_folder() / "ucr" / name / file
    (package,) = importlib.util.find_spec("aeon").submodule_search_locations  # type: ignore[union-attr, misc]
    places = [Path(own) / name / file] if own else []
    places += [Path(package) / "datasets" / "data" / name / file, cached]
    for place in places:
        if place.is_file():
            return place
    content = _fetch(name, file, Path(own or "<folder>") / name / file)
    write_whole(cached, lambda file: file.write(content))
    return cached


def _fetch(name: str, file: str, place: Path) -> bytes:
    """A file from the set's record at Zenodo, checked by the hash that the record has for it."""
    from aeon.datasets.tsc_datasets import tsc_zenodo
    from aeon.datasets.tser_datasets import tsr_zenodo

    records = {**tsr_zenodo, **tsc_zenodo}
    if name not in records:
        raise unknown("set of the UCR, UEA and TSER archives", name, records)
    try:
        with urllib.request.urlopen(f"{HOST}/api/records/{records[name]}", timeout=30) as response:
            checksums = {entry["key"]: entry["checksum"] for entry in json.load(response)["files"]}
        url = f"{HOST}/records/{records[name]}/files/{file}"
        return read(f"ucr/{name}/{file}", None, [url], packed=checksums[file])
    except (OSError, ValueError, KeyError, UserError) as error:
        raise UserError(
            f"{name} is not at hand, and could not be fetched: {str(error).strip('<>').splitlines()[0]}\n"
            f"put its files, such as {file}, at {place.parent} and set ZOO_DATA to {place.parent.parent}"
        ) from error
