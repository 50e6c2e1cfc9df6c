"""A training to time: a config, its data, and a hand-written network as reference."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.module import ZooDataModule, loader_options
from zoo.data.splits import Splits, TensorSplit, each_value_once
from zoo.engine.families import ZooModule, create_module
from zoo.engine.resources import batch_work, fill_auto, fit_machine
from zoo.settings.training_config import TrainingConfig


@dataclass(frozen=True)
class Case:
    """A training to time, of a classifier on data in memory.

    Args:
        name: in the table.
        config: of the training, plain values.
        splits: the data.
        by_hand: creates the reference network; it takes a batch's raw inputs, in the order of the spec.
    """

    name: str
    config: dict[str, Any]
    splits: Splits
    by_hand: Callable[[], nn.Module]

    @property
    def n_steps(self) -> int:
        """Steps per epoch."""
        return -(-len(self.splits.train) // self.config["data"]["batch_size"])  # type: ignore[arg-type]

    @property
    def n_epochs(self) -> int:
        return self.config["trainer"]["max_epochs"]

    @property
    def bf16(self) -> bool:
        return self.config["trainer"]["precision"] == "bf16-mixed"

    @property
    def device(self) -> torch.device:
        on_gpu = torch.cuda.is_available() and self.config["trainer"]["accelerator"] != "cpu"
        return torch.device("cuda" if on_gpu else "cpu")

    def columns(self, split: str) -> list[Tensor]:
        """Return the inputs of a split in the order of the spec, and its target."""
        held = getattr(self.splits, split)
        assert isinstance(held, TensorSplit)
        return [held.columns[name] for name in (*self.splits.spec.inputs, "target")]


def create_case(name: str, config: dict[str, Any], splits: Splits, by_hand: Callable[[], nn.Module]) -> Case:
    """Create a case with the precision and threads that the zoo chooses for it."""
    config = fill_auto(TrainingConfig.of(config), len(splits.train), splits.spec).plain()  # type: ignore[arg-type]
    case = Case(name, config, splits, by_hand)
    trainer = fit_machine(config["trainer"], batch_work(zoo_module(case), zoo_data(case)))
    return replace(case, config={**config, "trainer": trainer})


def zoo_module(case: Case) -> ZooModule:
    """Create the case's LightningModule, with fitted preprocessing."""
    sections = {key: dict(case.config[key]) for key in ("task", "optim")}
    module = create_module(dict(case.config["model"]), spec=case.splits.spec.to_json(), **sections)
    module.model.preprocess.fit(each_value_once(case.splits.train))
    return module


def zoo_data(case: Case) -> ZooDataModule:
    """Create the case's data module."""
    return ZooDataModule(case.splits, **loader_options(case.config["data"]))
