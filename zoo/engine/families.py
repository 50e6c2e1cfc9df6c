"""The LightningModule of each family."""

from typing import Any

from zoo.engine.cnn import CNNModule
from zoo.engine.fnn import FNNModule
from zoo.engine.module import MODULES, ZooModule
from zoo.engine.rnn import RNNModule

__all__ = ["CNNModule", "FNNModule", "RNNModule", "ZooModule", "create_module"]


def create_module(model: dict[str, Any], **kwargs: Any) -> ZooModule:
    """Create the LightningModule of a model's family; see `ZooModule` for the arguments."""
    family = model["name"].split("/")[0]
    return MODULES.get(family)(model=model, **kwargs)
