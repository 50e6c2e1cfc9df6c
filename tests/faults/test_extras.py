"""Fault 23: an optional extra is not installed."""

import json
import re
import runpy
import subprocess
import sys
import tomllib

import pytest
from helpers.commands import ROOT, in_this_process

from zoo.core.errors import UserError
from zoo.core.extras import install_command
from zoo.data.sequences.inputs.vocabulary import Vocabulary

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
HIDDEN = {  # the modules of each extra
    extra: [name.replace("-", "_") for name in re.findall(r"^[\w-]+", "\n".join(packages), re.M)]
    for extra, packages in EXTRAS.items()
    if extra not in ("test", "dev")
}
# For each extra: block its modules, import all of the zoo, and train and load a model.
WITHOUT = """
import importlib, json, pkgutil, sys

config, folder, extras = json.load(sys.stdin)
for extra, modules in extras.items():
    for name in [name for name in sys.modules if name.split(".")[0] in ("zoo", *modules)]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(modules))
    import zoo

    for module in pkgutil.walk_packages(zoo.__path__, "zoo."):
        importlib.import_module(module.name)
    zoo.train(config, f"{folder}/{extra}")
    zoo.load(f"{folder}/{extra}")
    for name in modules:
        del sys.modules[name]
"""


@pytest.mark.long
def test_fault_23_the_core_works_without_each_extra(config, tmp_path):
    """Without any one of the optional extras the zoo imports, trains and loads."""
    settings = config("model=fnn/mlp", "trainer=debug")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input=json.dumps([settings, str(tmp_path), HIDDEN]),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in tmp_path.glob("*/model.safetensors")} == set(HIDDEN)


@pytest.mark.parametrize(
    ("choice", "extra"),
    [
        ("logger=tensorboard", "track"),
        ("logger=mlflow", "track"),
        ("logger=wandb", "track"),
    ],
)
def test_fault_23_the_message_names_the_extra(choice, extra, monkeypatch, capsys, tmp_path):
    """A choice whose package is missing ends with exit code 2, the package's name and the extra to install."""
    package = choice.partition("=")[2]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setattr(sys, "argv", ["scripts/train.py", "model=fnn/mlp", choice, f"run_dir={tmp_path}"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "scripts" / "train.py"), run_name="__main__")
    reason, install = capsys.readouterr().err.splitlines()
    assert (end.value.code, install) == (2, f'pip install -e ".[{extra}]"')
    assert package in reason


def test_the_extra_of_a_package_is_the_narrowest(monkeypatch):
    entries = ["optuna>=4; extra == 'dev'", "optuna>=4; extra == 'sweep'"]
    monkeypatch.setattr("zoo.core.extras.requires", lambda _: entries)
    assert "[sweep]" in install_command("No module named 'optuna'")


def test_a_search_without_optuna_names_its_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert in_this_process("search", ["fnn/mlp", "model.width=8,16"], monkeypatch) == 2
    reason, install = capsys.readouterr().err.splitlines()[-2:]
    assert "optuna" in reason and install == 'pip install -e ".[sweep]"'


def test_pieces_of_text_without_their_package_name_the_extra(monkeypatch):
    monkeypatch.setattr("zoo.core.extras.requires", lambda _: ["tokenizers>=0.20; extra == 'bpe'"])
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"tokenizers: pip install .*\[bpe\]"):
        Vocabulary.of_reading({"alphabet": "ab", "merges": [["a", "b"]]}).encode("ab")
    assert Vocabulary("ab").encode("ab").tolist() == [1, 2]
