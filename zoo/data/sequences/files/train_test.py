"""Pairs of a user's files or folders: one for training, one for testing."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.folders import SPLIT_NAMES, list_folders, suffix
from zoo.data.sequences.files.formats import file_suffixes


def data_set_name(path: str | None) -> str:
    """Name a user's data set after its file, such as "own" for own_TRAIN.ts."""
    return re.sub("_train$", "", Path(path or "").expanduser().resolve().name.split(".")[0], flags=re.I)


def missing_path(name: str) -> UserError:
    """Build the error for data=`name` without data.path."""
    return UserError(f"data={name} reads your own files: say where they are, data.path=<file or folder>")


def find_train_and_test(path: Path, test_path: str | None) -> tuple[Path, Path | None]:
    """Find the training and the test file or folder; the latter is None where there is none."""
    if test_path:
        return path, Path(test_path).expanduser()
    train, test = _pair_in(path) if path.is_dir() else (path, _test_file(path))
    if test:
        echo(f"{train.name} trains, {test.name} tests; data.test_path= names another")
    return train, test


def evaluation_path(data: Mapping[str, Any], name: str) -> Path:
    """The file or folder that a data section names to measure a model on."""
    if not (data.get("test_path") or data["path"]):
        raise missing_path(name)
    path = Path(data.get("test_path") or data["path"]).expanduser()
    train, test = _pair_in(path) if path.is_dir() else (path, None)
    if test:
        raise UserError(f"{path} holds {train.name} and {test.name}; say which to measure on, such as data.path={test}")
    return path


def _pair_in(folder: Path) -> tuple[Path, Path | None]:
    """The folders train/ and test/ in a folder, or the pair of files in it; else the folder itself."""
    names = [name for name in list_folders(folder) if name.lower() in SPLIT_NAMES]
    splits = [SPLIT_NAMES[name.lower()] for name in names]
    if len(names) > 1 and sorted(splits) != ["test", "train"]:
        raise UserError(f"{folder} has {', '.join(names)}; splits are train/ and test/: rename or join them")
    if len(names) > 1:
        return folder / names[splits.index("train")], folder / names[splits.index("test")]
    rank = {name: index for index, name in enumerate(file_suffixes())}
    files = sorted(file for file in folder.iterdir() if suffix(file.name) in rank)
    files = sorted(files, key=lambda file: rank[suffix(file.name)])
    pairs = [(train, test) for train in files if (test := _test_file(train))]
    if len({train.name.split(".")[0] for train, _ in pairs}) > 1:
        raise UserError(f"{folder} holds several sets: say which, such as data.path={pairs[0][0]}")
    return pairs[0] if pairs else (folder, None)


def _test_file(train: Path) -> Path | None:
    """The file beside <name>_TRAIN.* that is called <name>_TEST.*, in any case, if there is one."""
    name = re.sub(r"_train(?=(\.\w+)*$)", "_test", train.name.lower())
    others = train.parent.iterdir() if name != train.name.lower() and train.exists() else []
    return next((other for other in others if other.name.lower() == name), None)
