"""Data as the files that a data set reads: those of the user, or written from what is in memory."""

import filecmp
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError
from zoo.data.detection import data_settings

Write = Callable[[Path], None]


@dataclass(frozen=True)
class Given:
    """Data given in Python.

    Attributes:
        name: of the data set that reads them.
        file: that they are written to, inside a folder; or the absolute path of one that is there.
        options: of the data set, beside the path.
        write: writes the files to a folder; None where they are files.
        path_option: the option that takes the path of `file`.
    """

    name: str
    file: str
    options: Mapping[str, Any]
    write: Write | None
    path_option: str = "path"

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the files to a folder, whole or not at all, and return the data set's options.

        Raises:
            UserError: for a folder that holds other data already.
        """
        if self.write is not None:
            self._write_to(folder)
        return {**self.options, self.path_option: str(folder / self.file)}

    def _write_to(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".data-") as temporary:
            new = Path(temporary, "data")
            new.mkdir()
            self.write(new)  # type: ignore[misc]
            if not folder.exists():
                os.replace(new, folder)
            elif not _are_equal(new, folder):
                raise UserError(f"{folder} holds other data than these; give another run_dir")


def given_file(path: Path, target: Any, model: str | None) -> Given:
    """A file or folder of the user's."""
    settings = data_settings(path.absolute(), model, target)
    options = {key.removeprefix("data."): value for key, value in settings.items() if key != "data"}
    option = "labels" if "labels" in options else "path"
    return Given(settings["data"], options.pop(option), options, None, option)


def _are_equal(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    files = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) for folder in (one, other)]
    return files[0] == files[1] and not any(filecmp.cmpfiles(one, other, files[0], shallow=False)[1:])
