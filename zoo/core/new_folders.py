"""Folders that a refused command made and left empty."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path


def missing_folders(folder: Path) -> list[Path]:
    """Return those of a folder and its parents that do not exist, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextlib.contextmanager
def removed_if_empty(folders: Sequence[Path]) -> Iterator[None]:
    """Remove the folders that are empty when the block raises, in their order.

    Args:
        folders: that did not exist before, the innermost first.
    """
    try:
        yield
    except BaseException:
        for folder in folders:
            with contextlib.suppress(OSError):  # it holds something, or was not made
                folder.rmdir()
        raise
