"""Data sets that tests may load."""

import inspect
import os
from typing import Any

import pytest

# Sets whose files the tests' ZOO_DATA contains; other downloaded sets are tested with generated files.
AT_HAND = ("adult", "california", "cifar10", "etth1", "fsdd", "mnist", "psmnist", "shakespeare", "smnist", "surnames")
NEED_FILES = pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="set ZOO_DATA to a folder with the large sets")


def ready_data() -> list[Any]:
    """Every data set that can be loaded by its name alone, as parameters of a test."""
    from zoo.data import DATA, facts, list_data

    alone = [name for name in list_data() if "path" not in inspect.signature(DATA.get(name)).parameters]
    fetched = {name for name in alone if facts(name).network == "fetched"}
    marks = {name: [NEED_FILES] if name in fetched else [] for name in alone if name not in fetched or name in AT_HAND}
    return [pytest.param(name, marks=mark) for name, mark in marks.items()]
