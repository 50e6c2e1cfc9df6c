"""The cost of a forward pass."""

from typing import Any

import torch
from torch import Tensor, nn


def multiply_adds(model: nn.Module, **inputs: Tensor) -> int:
    """Count the multiply-adds of all layers' weights in one forward pass over `inputs`.

    A layer with `out_features`, `out_channels` or `hidden_size`, such as Linear, Conv2d or LSTM, counts the size of its
    weights times the places or steps where it is applied.
    """
    counts: list[int] = []

    def count(layer: nn.Module, _: Any, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) else output
        weights = sum(weight.numel() for weight in layer.parameters(recurse=False) if weight.dim() > 1)
        counts.append(weights * output.numel() // _n_outputs(layer))

    hooks = [layer.register_forward_hook(count) for layer in model.modules() if _n_outputs(layer)]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(**inputs)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return sum(counts)


def _n_outputs(layer: nn.Module) -> int:
    """Outputs of a layer at each place or step; 0 for layers without weights of their own."""
    return next(
        (getattr(layer, name) for name in ("out_features", "out_channels", "hidden_size") if hasattr(layer, name)), 0
    )
