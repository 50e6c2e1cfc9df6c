"""Add a user's folder of models, data sets, tasks and anything else that is registered."""

from pathlib import Path

from zoo.core.errors import UserError
from zoo.core.registry import add_entries

_added: set[Path] = set()


def is_added(folder: str | Path) -> bool:
    """Whether `add_path` was called with this folder."""
    return Path(folder).expanduser().resolve() in _added


def add_path(folder: str | Path) -> None:
    """Add all that the files of a folder register, such as `@MODELS.register("fnn/mine")`.

    Searches the folder and two levels below it. `folder`/conf may hold configs like those of the zoo.

    Raises:
        UserError: when the folder does not exist or registers nothing, or a name exists already.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"zoo_path={folder} is not a folder")
    if not add_entries(folder) and not (folder / "conf").is_dir():
        raise UserError(
            f'zoo_path={folder} registers nothing: no file has a line such as @MODELS.register("fnn/mine"), and there '
            "is no conf/ folder"
        )
    _added.add(folder)
