"""Load data by the name of a data set, or as a user has them in Python."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.registry import DATA, load_by_name

if TYPE_CHECKING:
    from zoo.data.splits import Splits


def load_data(name: Any, /, **options: Any) -> "Splits":
    """Load the training, validation and test split of a data set, with their spec.

    Args:
        name: of the data set, see `list_data`; or data of your own, as `zoo.fit` takes them: a path, a DataFrame,
            arrays, with `target=`.
        options: of the data set; those left out keep their defaults.

    Raises:
        UserError: for an unknown name or option, or when the files are neither there nor can be downloaded.
    """
    if isinstance(name, str) and (name in DATA.names() or not _is_path(name)):
        return load_by_name(name, **options)
    from zoo.data.given import load_given

    return load_given(name, **options)


def _is_path(text: str) -> bool:
    """Whether a text is the path of something, or looks like one."""
    path = Path(text).expanduser()
    return path.exists() or bool(path.suffix) or path.name != text
