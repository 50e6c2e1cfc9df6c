"""The private name of torch that checkpoints rely on; tests/test_private_names.py fails first when it changes."""

from collections import OrderedDict
from typing import Any


def layer_versions(state: OrderedDict[str, Any]) -> Any:
    """The versions of a module's layers, which its `state_dict()` carries beside the values; None without. Promise: a
    checkpoint restores it, so that torch loads it without converting layers of older versions."""
    return getattr(state, "_metadata", None)


def set_layer_versions(state: OrderedDict[str, Any], versions: Any) -> None:
    """Put back what `layer_versions` gave."""
    state._metadata = versions  # type: ignore[attr-defined]
