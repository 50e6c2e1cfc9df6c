"""List the files in a user's folder, following links; the names that a split's folder, file or table cell may have."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name

SPLIT_NAMES = {  # in lower case
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "dev": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def list_files(folder: Path) -> list[Path]:
    """List all files in a folder and its subfolders, sorted, except hidden ones; links as in `walk_files`."""
    skipped: list[str] = []
    files = sorted(walk_files(folder, skipped))
    report_skipped_links(skipped)
    return [Path(file) for file in files]


def walk_files(folder: Path, skipped: list[str]) -> Iterator[str]:
    """Yield the paths of all files in a folder and its subfolders, except hidden ones.

    Links are followed after everything else, so each file is found once and circular links end: a link to what was
    found already, or to a parent folder, is added to `skipped` instead.
    """
    root = os.path.realpath(folder)
    seen, waiting = set(map(str, Path(root).parents)), deque([(str(folder), root)])
    while waiting:
        path, real = waiting.popleft()
        if real in seen:
            skipped.append(path)
            continue
        seen.add(real)
        if not os.path.isdir(path):
            yield path
            continue
        for entry in visible_entries(path):
            if entry.is_symlink():
                waiting.append((entry.path, os.path.realpath(entry.path)))
            else:
                waiting.appendleft((entry.path, os.path.join(real, entry.name)))


def list_folders(folder: Path) -> list[str]:
    """List the names of the subfolders, linked ones included, sorted. UserError for a name that is not UTF-8."""
    names = [entry.name for entry in visible_entries(folder) if entry.is_dir()]
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in name):  # undecodable bytes
            raise UserError(
                f"names of folders are text in UTF-8; {folder} has {os.fsencode(name)!r}\n"
                "rename it, which convmv does for many"
            )
    return names


def visible_entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """List what is in a folder, sorted by name, except hidden files. UserError if it cannot be read."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]


def suffix(name: str) -> str:
    """The suffix of a file's name in lower case, such as ".jpg"; "" if it has none."""
    return os.path.splitext(name)[1].lower()


def existing_path(path: str | Path, option: str) -> Path:
    """The absolute path of data.`option`; UserError with the nearest name if it does not exist."""
    found = Path(path).expanduser().absolute()
    if not found.exists():
        parent = next(parent for parent in found.parents if parent.exists())
        wrong = found.relative_to(parent).parts[0]
        nearest = unknown_name("file or folder", wrong, os.listdir(parent))
        raise UserError(f"data.{option}={path} does not exist: {nearest} in {parent}")
    return found


def report_skipped_links(links: Sequence[str]) -> None:
    """Print in one line which links were not followed."""
    if links:
        n, examples = len(links), ", ".join(sorted(links)[:3])
        echo(f"not followed, as their targets were found already: {n:,} link{'s' * (n > 1)}, such as {examples}")


def report_other_files(files: Iterable[str], kind: str) -> None:
    """Print in one line how many files were left out because they are not of a `kind`, such as "images (.jpg)"."""
    suffixes = Counter(map(suffix, files))
    if suffixes:
        examples = ", ".join(one or "no suffix" for one, _ in suffixes.most_common(3))
        n = suffixes.total()
        echo(f"left out, as they are not {kind}: {n:,} file{'s' * (n > 1)} ({examples})")
