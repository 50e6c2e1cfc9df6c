"""A zoo of feedforward, convolutional and recurrent networks in PyTorch. The public names, nothing else."""

from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError
from zoo.core.plugins import add_path
from zoo.core.spec import DataSpec, Input
from zoo.data import list_data, load_data
from zoo.inference.pretrained import list_pretrained, load
from zoo.inference.untrained import create_model
from zoo.models import list_models

if TYPE_CHECKING:
    from zoo.fit_data import fit
    from zoo.inference.evaluation import evaluate
    from zoo.inference.predictor import Predictor
    from zoo.report.result import Result
    from zoo.settings import config
    from zoo.training import train, train_seeds

__all__ = [
    "DataSpec",
    "Input",
    "Predictor",
    "Result",
    "UserError",
    "add_path",
    "config",
    "create_model",
    "evaluate",
    "fit",
    "list_data",
    "list_models",
    "list_pretrained",
    "load",
    "load_data",
    "train",
    "train_seeds",
]
_HEAVY = {
    "Predictor": "zoo.inference.predictor",
    "Result": "zoo.report.result",
    "config": "zoo.settings",
    "evaluate": "zoo.inference.evaluation",
    "fit": "zoo.fit_data",
    "train": "zoo.training",
    "train_seeds": "zoo.training",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("zoo")
    if name not in _HEAVY:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HEAVY[name]), name)
