"""Every yaml composes, has only keys that the code uses, and contains only values."""

import inspect

import lightning as L
import pytest
import yaml
from helpers.commands import ROOT

import zoo
from zoo.engine.trainer import OWN_KEYS
from zoo.optim.factory import OPTIMIZERS, OPTIONAL
from zoo.optim.schedules import SCHEDULES

CONF = ROOT / "conf"
CHOICES = [
    (group.name, path.relative_to(group).with_suffix("").as_posix())
    for group in sorted(CONF.iterdir())
    if group.is_dir()
    for path in sorted(group.rglob("*.yaml"))
]


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_yaml_composes_to_a_whole_config(config, group, name):
    overrides = [f"{group}={name}"]
    if group not in ("model", "experiment"):
        overrides.append("model=fnn/mlp")
    composed = config(*overrides)
    assert {"model", "data", "task", "optim", "trainer"} <= set(composed)
    if group == "model":
        assert name in (composed["model"]["name"], composed["model"]["name"].split("/")[0])
    if group == "experiment":
        model, data = composed["model"], composed["data"]["name"]
        architecture, _, rest = name.partition(".")  # such as cnn/resnet20, of depth 20, and cifar10_longer
        assert architecture in {model["name"], *(f"{model['name']}{size}" for size in model.values())}
        assert f"{rest}_".startswith(f"{data}_")


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_target_is_used_only_under_callbacks_and_logger(group, name):
    if group not in ("callbacks", "logger"):
        assert "_target_" not in (CONF / group / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", [name for group, name in CHOICES if group == "trainer"])
def test_trainer_keys_are_arguments_of_lightning_or_of_the_zoo(name):
    keys = set(yaml.safe_load((CONF / "trainer" / f"{name}.yaml").read_text()))
    assert keys - {"defaults", *OWN_KEYS} <= set(inspect.signature(L.Trainer).parameters)


@pytest.mark.parametrize("name", [name for group, name in CHOICES if group == "optim"])
def test_optim_keys_are_arguments_of_the_optimiser(name):
    section = zoo.config("fnn/mlp", f"optim={name}")["optim"]
    options = set(section) - {"name", "weight_decay", "bias_lr", "schedule", *OPTIONAL}
    assert options <= set(inspect.signature(OPTIMIZERS.get(section["name"])).parameters)
    assert section["schedule"]["name"] in [*SCHEDULES.names(), "auto"]


def test_the_data_of_the_command_line_wins_in_either_order(config):
    for overrides in (("model=cnn/resnet", "data=cifar10"), ("data=cifar10", "model=cnn/resnet")):
        assert config(*overrides)["data"]["name"] == "cifar10"


@pytest.mark.parametrize("path", ["2024", "007", "1e5", "true", "-3", "2024.txt", "power.csv"])
def test_a_path_is_text_whatever_it_looks_like(config, path):
    assert config("model=rnn", "data=text", f"data.path={path}")["data"]["path"] == path
    assert config("model=rnn", f"finetune={path}")["finetune"] == path


def test_a_path_may_be_null(config):
    assert config("model=rnn", "data=text", "data.path=null")["data"]["path"] is None
