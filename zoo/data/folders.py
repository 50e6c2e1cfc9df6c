"""What lies in a folder of the user's files, linked folders included."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo.core.console import echo
from zoo.core.errors import UserError

SPLIT_NAMES = {  # of folders, and the split that each means
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
    """List all files in a folder and the folders in it, sorted, except hidden ones; links as in `walk_files`."""
    passed: list[str] = []
    files = sorted(walk_files(folder, passed))
    report_skipped_links(passed)
    return [Path(file) for file in files]


def walk_files(folder: Path, passed: list[str]) -> Iterator[str]:
    """The paths of all files in a folder and the folders in it, but for hidden ones.

    Links are followed once all else was found. Each file is found once and a circle of links ends: a link to what was
    found already, or to a folder around it, is not followed but added to `passed`.
    """
    root = os.path.realpath(folder)
    seen, waiting = set(map(str, Path(root).parents)), deque([(str(folder), root)])
    while waiting:
        path, real = waiting.popleft()
        if real in seen:
            passed.append(path)
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


def report_skipped_links(links: Sequence[str]) -> None:
    """Say in one line which links were not followed."""
    if links:
        n, some = len(links), ", ".join(sorted(links)[:3])
        echo(f"not followed, as what they lead to is found without: {n:,} link{'s' * (n > 1)}, such as {some}")


def report_other_files(files: Iterable[str], kind: str) -> None:
    """Say in one line how many files were left out, being none of a kind, such as "images, such as .jpg or .png"."""
    endings = Counter(map(suffix, files))
    if endings:
        kinds = ", ".join(one or "without an ending" for one, _ in endings.most_common(3))
        n = endings.total()
        echo(f"left out, as they are no {kind}: {n:,} file{'s' * (n > 1)} ({kinds})")


def suffix(name: str) -> str:
    """How a file's name ends, in small letters, such as ".jpg"; "" where it has no ending."""
    return os.path.splitext(name)[1].lower()


def list_folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, and of links to folders, sorted. UserError for one that is no text."""
    names = [entry.name for entry in visible_entries(folder) if entry.is_dir()]
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in name):  # bytes that are none
            raise UserError(
                f"names of folders are text in UTF-8; {folder} has {os.fsencode(name)!r}\n"
                "rename it, which convmv does for many"
            )
    return names


def visible_entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, but for what the system hides. UserError where it cannot be read."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
