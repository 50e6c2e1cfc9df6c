"""Folders of files with a folder for each class, whatever is in the files."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.folders import list_files, list_folders, report_other_files, suffix

T = TypeVar("T")


def find_class_files(folder: Path, suffixes: Collection[str], kind: str, labelled: bool) -> dict[str, Path]:
    """Find the files of a kind in a folder, by their paths in it. Files of other kinds are reported.

    Args:
        folder: of the files.
        suffixes: of the files, in small letters, the commonest first.
        kind: what messages call them, such as "recordings".
        labelled: whether each must lie in a folder, which is its class.
    """
    paths = {str(file.relative_to(folder)): file for file in list_files(folder)}
    files = {name: file for name, file in paths.items() if suffix(name) in suffixes}
    examples = " or ".join(list(suffixes)[:2])
    if not files:
        others = ", ".join(sorted({suffix(name) or name for name in paths})[:5]) or "nothing"
        raise UserError(f"a folder of {kind} has files such as {examples}; there are none in {folder}, but {others}\n"
                        f"what is read: {', '.join(suffixes)}; convert others to one of them")  # fmt: skip
    loose = [name for name in files if len(Path(name).parts) < 2]
    if labelled and loose:
        place = f"{folder}/<class>/1{next(iter(suffixes))}"
        raise UserError(f"{kind} lie in a folder for each class, {place}; {loose[0]} lies in none")
    report_other_files(paths.keys() - files.keys(), f"{kind}, such as {examples}")
    empty = set(list_folders(folder)) - {Path(name).parts[0] for name in files}
    if labelled and empty:
        echo(f"no class, as there are no {kind} in it: {', '.join(sorted(empty)[:5])}")
    return files


def class_of(name: str) -> str:
    """The class of a file by its path in the folder of classes."""
    return Path(name).parts[0]


def read_each(files: Mapping[str, Path], read: Callable[[Path], T], kind: str, labelled: bool) -> dict[str, T]:
    """Read each file, by its name. Labelled files that are damaged are left out and reported.

    Args:
        files: by name.
        read: raises UserError for a damaged file.
        kind: what messages call them, such as "recordings".
        labelled: whether damaged files may be left out; else the first one raises.
    """
    contents: dict[str, T] = {}
    errors = []
    for name, file in files.items():
        try:
            contents[name] = read(file)
        except UserError as error:
            errors.append(error)
    if errors and not (labelled and contents):
        raise errors[0]
    if errors:
        echo(f"left out: {len(errors)} of {len(files)} {kind}", *errors[:5], sep="\n  ")
    return contents
