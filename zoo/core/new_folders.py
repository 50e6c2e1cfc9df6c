"""The folder of a new run; folders that a refused command made and left empty."""

import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

RUNS = Path("runs")  # where runs go that name no folder


def make_run_folder(data: Mapping[str, Any]) -> Path:
    """Make a folder of its own for a run, also where several start at once: runs/churn, then runs/churn-2.

    Args:
        data: the data section of a config, whose file, or else whose data set, gives the name.
    """
    RUNS.mkdir(exist_ok=True)
    own = data.get("path") or data.get("labels")
    stem = os.path.basename(os.path.abspath(os.path.expanduser(own))).split(".")[0] if own else ""
    name = re.sub(r"[^\w-]+", "_", stem).strip("_-") or str(data["name"])
    for number in itertools.count(1):
        folder = RUNS / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("there is a number for each run")


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
