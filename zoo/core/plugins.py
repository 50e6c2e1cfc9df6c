"""Models, data sets, tasks and all else that has a name, from a folder of the user's own."""

from pathlib import Path

from zoo.core.errors import UserError
from zoo.core.registry import add_entries

_ADDED: set[Path] = set()


def is_added(folder: str | Path) -> bool:
    """Whether `add_path` was called with this folder."""
    return Path(folder).expanduser().resolve() in _ADDED


def add_path(folder: str | Path) -> None:
    """Add everything that the files of a folder register, such as `@MODELS.register("fnn/mine")`, to the zoo's own.

    Files are looked for in the folder and two levels below it. `folder`/conf holds settings in the form of the zoo's.

    Raises:
        UserError: when the folder is not there or registers nothing, or a name exists already.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"zoo_path={folder} is no folder")
    if not add_entries(folder) and not (folder / "conf").is_dir():
        raise UserError(
            f'zoo_path={folder} registers nothing: no file has a line such as @MODELS.register("fnn/mine"), and there '
            "is no conf/ folder"
        )
    _ADDED.add(folder)
