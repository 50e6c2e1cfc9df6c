"""The UCR, UEA and TSER archives: the .ts files of a set, inside aeon, from a folder or the cache, or downloaded."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.sequences.files.ts import parse_ts
from zoo.data.sequences.splits.aeon_names import bundled_file, zenodo_record
from zoo.data.sequences.splits.labelled import Shares, divide, sequence_splits
from zoo.data.sources.cache import cache_folder, cached, folder_from_variable
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

HOST = "https://zenodo.org"


def archive_splits(name: str, shares: Shares, *, target: str = "class", **spec: Any) -> Splits:
    """Load the official training and test split of the set `name`, and carve the validation split out of training."""
    files = (f"{name}_{split}.ts" for split in ("TRAIN", "TEST"))
    train, test = (parse_ts(archive_file(name, file), Path(file)) for file in files)
    return sequence_splits(divide(train, test, shares, target=target), name=name, **spec)


def archive_file(name: str, file: str) -> bytes:
    """Read <name>_TRAIN.ts or <name>_TEST.ts from inside aeon, from ZOO_DATA/<name> or the cache, or download it.

    It is checked by the hash in the set's record at Zenodo, where that is known.

    Raises:
        UserError: for an unknown set, or one that is neither available locally nor can be downloaded.
    """
    own = (folder_from_variable("ZOO_DATA") or Path("<folder>")) / name / file
    bundled = bundled_file(name, file)
    if bundled.is_file():
        content = bundled.read_bytes()
        if own.is_file() and own.read_bytes() != content:
            echo(f"skipped {own}: not the published file, which comes inside aeon")
        return content
    if own.is_file() and not _hash_file(name).is_file():
        return read_data_file(f"{name}/{file}", None, [])
    record = zenodo_record(name)
    try:
        checksum = _hashes(name, record)[file]
        return read_data_file(f"{name}/{file}", None, [f"{HOST}/records/{record}/files/{file}"], packed=checksum)
    except (OSError, ValueError, KeyError, UserError) as error:
        raise UserError(
            f"{name} is not available locally, and could not be downloaded: {str(error).strip('<>').splitlines()[0]}\n"
            f"put its files, such as {file}, at {own.parent} and set ZOO_DATA to {own.parent.parent}"
        ) from error


def _hashes(name: str, record: int) -> dict[str, str]:
    """The hash of each file in the set's record, cached so that files are checked without network."""
    path = _hash_file(name)
    if not path.is_file():
        with urllib.request.urlopen(f"{HOST}/api/records/{record}", timeout=30) as response:
            hashes = json.dumps({entry["key"]: entry["checksum"] for entry in json.load(response)["files"]})
        cached(path, lambda place: place.write_text(hashes))
    return json.loads(path.read_text())


def _hash_file(name: str) -> Path:
    return cache_folder() / "ucr" / f"{name}.json"
