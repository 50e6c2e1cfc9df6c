"""What is installed: the package as pip builds it, and its front door in Python."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

import zoo
from zoo.core.errors import UserError

FROM_WHEEL = """
import zoo
assert "site" in zoo.__file__
try:
    zoo.train({"model": {"name": "fnn/mlp"}}, "run")
except zoo.UserError as error:
    print(error)
metrics = zoo.train(zoo.config("fnn", "trainer=cpu", "trainer.max_epochs=2", width=32), "run")
print(zoo.__version__, metrics["epoch"])
"""


@pytest.mark.slow
def test_a_model_is_trained_from_the_wheel_in_another_folder(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", FROM_WHEEL]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert 'zoo.config("fnn/mlp")' in done.stdout
    assert done.stdout.splitlines()[-1].startswith(zoo.__version__)


def test_a_config_has_every_setting_and_what_is_given():
    config = zoo.config("fnn", "data=wine", "trainer.max_epochs=3", width=64)
    assert config["model"]["name"] == "fnn/mlp" and config["model"]["width"] == 64
    assert config["data"]["name"] == "wine" and config["trainer"]["max_epochs"] == 3
    assert config == zoo.config("model=fnn", "model.width=64", "data=wine", "trainer.max_epochs=3")


def test_scripts_of_others_find_the_config_by_its_old_name():
    from common import training_config

    assert training_config("model=fnn") == zoo.config("fnn")


@pytest.mark.parametrize(
    ("words", "choices", "message"),
    [
        (["fn"], {}, "nearest: fnn"),
        (["fnn", "data=wne"], {}, "nearest: wine"),
        (["fnn"], {"wdth": 3}, "nearest: width"),
        (["fnn", "trainer.epochs=3"], {}, "no setting 'trainer.epochs'; the nearest: trainer.max_epochs"),
        (["fnn", "trainer.max_epochs=three"], {}, "trainer.max_epochs is a whole number"),
        (["fnn"], {"width": "three"}, "model.width is a whole number"),
        (["fnn", "optim=1e-3"], {}, "optim is a name"),
        ([], {}, "say which model: model=cnn or fnn or rnn"),
    ],
)
def test_a_config_of_what_there_is_not(words, choices, message):
    with pytest.raises(UserError, match=message):
        zoo.config(*words, **choices)
