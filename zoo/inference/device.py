"""Choose the device to run a model on."""

import torch

from zoo.core.errors import UserError, unknown_name

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> str:
    """Resolve a name of DEVICES to "cpu" or "cuda". UserError for another name, and for cuda without a CUDA device."""
    if name not in DEVICES:
        raise unknown_name("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: no CUDA device is available here; use device=cpu, or device=auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
