"""Files and folders of the user's own that come in pairs, one to train with and one to test with."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.folders import SPLIT_NAMES, list_folders, suffix
from zoo.data.sequences.files.formats import file_suffixes


def set_name(path: str | None) -> str:
    """What a data set of the user's is called, such as "own" for own_TRAIN.ts."""
    return re.sub("_train$", "", Path(path or "").expanduser().resolve().name.split(".")[0], flags=re.I)


def no_path(name: str) -> UserError:
    """The error where data=`name` has no data.path."""
    return UserError(f"data={name} reads your own files: say where they are, data.path=<file or folder>")


def measured_path(data: Mapping[str, Any], name: str) -> Path:
    """The file or folder that a data section names to measure a model on, all of it."""
    if not (data.get("test_path") or data["path"]):
        raise no_path(name)
    path = Path(data.get("test_path") or data["path"]).expanduser()
    train, test = _pair_in(path) if path.is_dir() else (path, None)
    if test:
        raise UserError(f"{path} holds {train.name} and {test.name}; say which to measure on, such as data.path={test}")
    return path


def find_pair(path: Path, test_path: str | None) -> tuple[Path, Path | None]:
    """The training and the test file or folder, the latter None where there is none."""
    if test_path:
        return path, Path(test_path).expanduser()
    train, test = _pair_in(path) if path.is_dir() else (path, _test_file(path))
    if test:
        echo(f"{train.name} trains, {test.name} tests; data.test_path= names another")
    return train, test


def _pair_in(folder: Path) -> tuple[Path, Path | None]:
    """The folders train/ and test/ of a folder, or the pair of files in it; else all of it."""
    named = [name for name in list_folders(folder) if name.lower() in SPLIT_NAMES]
    splits = [SPLIT_NAMES[name.lower()] for name in named]
    if len(named) > 1 and sorted(splits) != ["test", "train"]:
        raise UserError(f"{folder} has {', '.join(named)}; splits are train/ and test/: rename or join them")
    if len(named) > 1:
        return folder / named[splits.index("train")], folder / named[splits.index("test")]
    rank = {name: index for index, name in enumerate(file_suffixes())}
    files = sorted(file for file in folder.iterdir() if suffix(file.name) in rank)
    pairs = [(file, _test_file(file)) for file in sorted(files, key=lambda file: rank[suffix(file.name)])]
    pairs = [(train, test) for train, test in pairs if test]
    if len({train.name.split(".")[0] for train, _ in pairs}) > 1:
        raise UserError(f"{folder} holds several sets: say which, such as data.path={pairs[0][0]}")
    return pairs[0] if pairs else (folder, None)


def _test_file(train: Path) -> Path | None:
    """The file beside <name>_TRAIN.* that is called <name>_TEST.*, in whatever capitals, if there is one."""
    name = re.sub(r"_train(?=(\.\w+)*$)", "_test", train.name.lower())
    others = train.parent.iterdir() if name != train.name.lower() and train.exists() else []
    return next((other for other in others if other.name.lower() == name), None)
