"""Shared fixtures: one short training of each family per session."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.commands import ROOT, Result, run_script, without_baselines
from helpers.own_code import forgotten_afterwards
from helpers.trainings import SHORT

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.append(str(ROOT / "scripts"))


@pytest.fixture(scope="session")
def script() -> Callable[..., Result]:
    return run_script


@pytest.fixture(scope="session")
def config() -> Callable[..., dict]:
    """`zoo.config` without baselines, which most tests need not wait for."""
    import zoo

    return lambda *words, **choices: zoo.config(*without_baselines(words), **choices)


@pytest.fixture
def own_code():
    """What a user's folder registers in this process is forgotten at the end of the test."""
    with forgotten_afterwards():
        yield


@pytest.fixture(scope="session")
def runs(config, tmp_path_factory) -> dict[str, Path]:
    """A finished run folder for each family."""
    import zoo

    folders = {}
    for family, overrides in SHORT.items():
        folders[family] = tmp_path_factory.mktemp("runs") / family
        zoo.train(config(*overrides), folders[family])
    return folders


def pytest_collection_modifyitems(items):
    """Mark the tests of faults, and run slow tests first, so that parallel workers end together."""
    for item in items:
        if item.name.startswith("test_fault_"):
            item.add_marker(pytest.mark.faults)
    items.sort(key=lambda item: "slow" not in item.keywords)
