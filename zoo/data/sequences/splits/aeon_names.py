"""The undocumented names of aeon that the zoo uses; tests/test_private_names.py fails first where one changes."""

import importlib.util
from pathlib import Path

from zoo.core.errors import unknown_name


def bundled_file(name: str, file: str) -> Path:
    """Where aeon keeps a file of the sets that it brings along, whether it has that file or not. aeon is not imported,
    which takes seconds."""
    (package,) = importlib.util.find_spec("aeon").submodule_search_locations  # type: ignore[union-attr, misc]
    return Path(package) / "datasets" / "data" / name / file


def zenodo_record(name: str) -> int:
    """The number of a set's record at Zenodo; UserError for an unknown set."""
    from aeon.datasets.tsc_datasets import tsc_zenodo
    from aeon.datasets.tser_datasets import tsr_zenodo

    records = {**tsr_zenodo, **tsc_zenodo}
    if name not in records:
        raise unknown_name("set of the UCR, UEA and TSER archives", name, records)
    return records[name]
