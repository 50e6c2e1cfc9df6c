"""Models and data sets from a folder of the user's own."""

from pathlib import Path

from zoo.data import DATA
from zoo.errors import UserError
from zoo.models import MODELS

_ADDED: set[Path] = set()


def is_added(folder: str | Path) -> bool:
    """Whether `add_path` was called with this folder."""
    return Path(folder).expanduser().resolve() in _ADDED


def add_path(folder: str | Path) -> None:
    """Register the files of `folder`/models/<family>/ and `folder`/data/<kind>/ like the zoo's own.

    Raises:
        UserError: when the folder is not there, holds neither, or a name exists already.
    """
    folder = Path(folder).expanduser().resolve()
    if not any((folder / part).is_dir() for part in ("models", "data")):
        raise UserError(f"zoo_path={folder} has neither a models/ nor a data/ folder")
    MODELS.add_folder(folder / "models")
    DATA.add_folder(folder / "data")
    _ADDED.add(folder)
