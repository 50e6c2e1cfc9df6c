"""What lies in a folder of the user's files, linked folders included."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo.core.console import print
from zoo.core.errors import UserError


def files_in(folder: Path) -> list[Path]:
    """All files in a folder and the folders in it, sorted, but for hidden ones; links are followed, see `walk`."""
    passed: list[str] = []
    files = sorted(walk(folder, passed))
    say_passed(passed)
    return [Path(file) for file in files]


def walk(folder: Path, passed: list[str]) -> Iterator[str]:
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
        for entry in visible(path):
            if entry.is_symlink():
                waiting.append((entry.path, os.path.realpath(entry.path)))
            else:
                waiting.appendleft((entry.path, os.path.join(real, entry.name)))


def say_passed(links: Sequence[str]) -> None:
    """Say in one line which links were not followed."""
    if links:
        n, some = len(links), ", ".join(sorted(links)[:3])
        print(f"not followed, as what they lead to is found without: {n:,} link{'s' * (n > 1)}, such as {some}")


def say_other_kinds(files: Iterable[str], kind: str) -> None:
    """Say in one line how many files were left out, being none of a kind, such as "images, such as .jpg or .png"."""
    endings = Counter(map(ending, files))
    if endings:
        kinds = ", ".join(one or "without an ending" for one, _ in endings.most_common(3))
        n = endings.total()
        print(f"left out, as they are no {kind}: {n:,} file{'s' * (n > 1)} ({kinds})")


def ending(name: str) -> str:
    """How a file's name ends, in small letters, such as ".jpg"; "" where it has no ending."""
    return os.path.splitext(name)[1].lower()


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, and of links to folders, sorted. UserError for one that is no text."""
    names = [entry.name for entry in visible(folder) if entry.is_dir()]
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in name):  # bytes that are none
            raise UserError(
                f"names of folders are text in UTF-8; {folder} has {os.fsencode(name)!r}\n"
                "rename it, which convmv does for many"
            )
    return names


def visible(folder: Path | str) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, but for what the system hides. UserError where it cannot be read."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
