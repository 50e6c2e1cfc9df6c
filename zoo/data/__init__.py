"""Every data set, by name: one file each. A file registers a function that returns its `Splits`."""

import ast
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.core.errors import UserError, unknown_name
from zoo.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from zoo.core.spec import DataSpec
    from zoo.data.splits import Batch, Split, Splits

FOLDER = Path(__file__).parent
DATA: "Registry[Callable[..., Splits]]" = Registry("data", "DATA", FOLDER)
# By the name of an input: raw input of the user's as a batch for a trained model, see `zoo.data.readers`.
READERS: "Registry[Callable[[DataSpec, Any], tuple[Batch, bool]]]" = Registry("kind of input", "READERS", FOLDER)
# By the name of an input: what can be read of a file, and the mask of these samples among all, or None
# for all; the others are said.
PARTIAL: "Registry[Callable[[DataSpec, Path], tuple[Batch, np.ndarray | None]]]" = Registry(
    "reader of files in part", "PARTIAL", FOLDER
)
# By the name of a data set that reads a user's file: the labelled samples of another such file, from a config's data
# section, as a trained model's spec has them.
LABELLED: "Registry[Callable[[DataSpec, Mapping[str, Any]], Split]]" = Registry(
    "reader of labelled samples", "LABELLED", FOLDER
)


class Facts(NamedTuple):
    """What is known of a data set before it is read. Each file of a data set holds its own as `FACTS`.

    Attributes:
        task: the registry name of the task; "any" where the user's file decides.
        rows: samples of train / val / test.
        inputs: in words, with shape.
        licence: terms under which the data may be used.
        source: who made it, where it is from.
        network: "fetched" where its files must be, unless ZOO_DATA or the cache has them.
    """

    task: str
    rows: str
    inputs: str
    licence: str
    source: str
    network: str = "no"


def facts(name: str) -> Facts | None:
    """The facts of a data set, from the text of its file, which is not run for it; None where it states none."""
    lines = ast.parse(DATA.path(name).read_text(encoding="utf-8")).body
    for call in (line.value for line in lines if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call)):
        if ast.unparse(call.func) == "Facts":
            return Facts(**{str(entry.arg): ast.literal_eval(entry.value) for entry in call.keywords})
    return None


def list_data(pattern: str = "*") -> list[str]:
    """Names of the data sets that match a shell pattern, such as "mnist*"."""
    return DATA.names(pattern)


def load_data(name: str, /, **options: Any) -> "Splits":
    """Training, validation and test split of a data set, with their spec.

    Args:
        name: a data set's name, see `list_data`.
        options: the data set's own choices; what is left out keeps its default.

    Raises:
        UserError: for an unknown name or option, or when the files are neither at hand nor to be fetched.
    """
    load = DATA.get(name)
    known = inspect.signature(load).parameters
    for option in options:
        if option not in known:
            raise unknown_name(f"option of data {name}", option, known)
    try:
        return load(**options)
    except ValueError as error:
        raise UserError(f"data {name}: {error}") from error
