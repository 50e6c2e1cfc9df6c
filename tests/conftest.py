"""Shared fixtures: one short training of each family, made once."""

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))
# The sets whose files a folder ZOO_DATA for the tests holds; other sets that must be fetched are tested on made files.
AT_HAND = ("adult", "california", "cifar10", "etth1", "fsdd", "mnist", "psmnist", "shakespeare", "smnist", "surnames")
NEED_FILES = pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="set ZOO_DATA to a folder with the large sets")


def ready_data() -> list[Any]:
    """Every data set that can be loaded by its name alone, as parameters of a test."""
    from zoo.data import DATA, facts, list_data

    alone = [name for name in list_data() if "path" not in inspect.signature(DATA.get(name)).parameters]
    fetched = {name for name in alone if facts(name).network == "fetched"}
    marks = {name: [NEED_FILES] if name in fetched else [] for name in alone if name not in fetched or name in AT_HAND}
    return [pytest.param(name, marks=mark) for name, mark in marks.items()]


@dataclass
class Result:
    code: int
    out: str
    err: str


def run_script(name: str, *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> Result:
    """Run scripts/<name>.py in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=240,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def script() -> Callable[..., Result]:
    return run_script


@pytest.fixture(scope="session")
def config() -> Callable[..., dict]:
    """The config that `zoo.train` takes, as scripts/train.py makes it of its arguments."""
    import zoo

    return zoo.config


SHORT = {
    "fnn": ("model=fnn", "trainer.max_epochs=3", "optim.ema=0.9", "model.dropout=0.2"),
    "cnn": ("model=cnn", "trainer.max_epochs=1", "trainer.limit_train_batches=10", "trainer.precision=32-true"),
    "rnn": ("model=rnn", "trainer.max_epochs=2", "model.width=16"),
}


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
    """Mark the tests of faults; long subprocess tests first, so that parallel workers end together."""
    for item in items:
        if item.name.startswith("test_fault_"):
            item.add_marker(pytest.mark.faults)
    items.sort(key=lambda item: "slow" not in item.keywords)
