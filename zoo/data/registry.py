"""The registries of data sets, of file formats and of what reads new input for a trained model."""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.core.errors import UserError, unknown_name
from zoo.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from zoo.core.spec import DataSpec
    from zoo.data.formats.cell_options import CellOptions
    from zoo.data.splits import Batch, Split, Splits

FAMILIES = {"tables": "fnn", "images": "cnn", "sequences": "rnn"}  # by the folder of a data set's file
# By the name of a data set: its splits.
DATA: "Registry[Callable[..., Splits]]" = Registry("data", "DATA")
# By the name of an input: turns raw input into a batch, see `zoo.data.readers`.
READERS: "Registry[Callable[[DataSpec, Any], tuple[Batch, bool]]]" = Registry("kind of input", "READERS")
# By the name of an input: reads what can be read of a file; returns the batch and a mask of these samples among all in
# the file, or None for all, and reports the others.
PARTIAL_READERS: "Registry[Callable[[DataSpec, Path], tuple[Batch, np.ndarray | None]]]" = Registry(
    "reader of files in part", "PARTIAL_READERS"
)
# By the name of a data set that reads a user's file: the labelled samples of another such file, given a trained
# model's spec and the data section of a config.
LABELLED_READERS: "Registry[Callable[[DataSpec, Mapping[str, Any]], Split]]" = Registry(
    "reader of labelled samples", "LABELLED_READERS"
)
# By the suffix of a file: reads a table.
FORMATS: "Registry[Callable[[Path, CellOptions], pa.Table]]" = Registry("file format", "FORMATS")
# By the suffix of a file: reads a table larger than memory in blocks of rows of one schema; the first may be
# empty. Large temporary files go to the folder it is given. A format without an entry is read whole.
BLOCKS: "Registry[Callable[[Path, CellOptions, Path], Iterator[pa.Table]]]" = Registry(
    "file format read in blocks", "BLOCKS"
)


class Facts(NamedTuple):
    """What is known of a data set before it is read. Each data set's file holds its own as `FACTS`.

    Attributes:
        task: registry name of the task; "any" where the user's file decides.
        rows: samples of train / val / test.
        inputs: in words, with shape.
        licence: terms under which the data may be used.
        source: author and origin.
        network: "fetched" if its files are downloaded unless ZOO_DATA or the cache has them.
        model: the architecture that its family's name stands for with these data, such as "rnn/segrnn"; "" for that of
            the family's file in conf/model.
    """

    task: str
    rows: str
    inputs: str
    licence: str
    source: str
    network: str = "no"
    model: str = ""


def facts(name: str) -> Facts | None:
    """Parse the facts of a data set from its source, without importing it; None if it states none."""
    lines = ast.parse(DATA.path(name).read_text(encoding="utf-8")).body
    for call in (line.value for line in lines if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call)):
        if ast.unparse(call.func) == "Facts":
            return Facts(**{str(entry.arg): ast.literal_eval(entry.value) for entry in call.keywords})
    return None


def default_family(name: str) -> str | None:
    """Return the family of models for a data set, by the folder of its file; None for one of a user's own.

    >>> default_family("csv")
    'fnn'
    """
    return FAMILIES.get(DATA.path(name).parent.name)


def list_data(pattern: str = "*") -> list[str]:
    """List the names of the data sets that match a shell pattern, such as "mnist*"."""
    return DATA.names(pattern)


def load_by_name(name: str, /, **options: Any) -> "Splits":
    """Load the splits of a registered data set; see `zoo.load_data`."""
    load = DATA.get(name)
    known = inspect.signature(load).parameters
    for option in options:
        if option not in known:
            raise unknown_name(f"option of data {name}", option, known)
    try:
        return load(**options)
    except ValueError as error:
        raise UserError(f"data {name}: {error}") from error
