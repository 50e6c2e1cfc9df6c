"""Sharpness-aware minimisation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def at_worst(model: nn.Module, radius: float) -> Iterator[None]:
    """Within the context, weights are where the loss nearby is, to first order, the largest: moved by `radius` along
    their gradient (P. Foret et al., arXiv 2010.01412, section 2). A gradient computed there is the one to step by.

    Args:
        model: with gradients, which are cleared; its buffers, such as BatchNorm's means, stay as they were at entry.
        radius: length of the move of all weights together.
    """
    kept = [*model.parameters(), *model.buffers()]
    before = [tensor.detach().clone() for tensor in kept]
    gradients = {parameter: parameter.grad for parameter in model.parameters() if parameter.grad is not None}
    with torch.no_grad():
        length = nn.utils.get_total_norm(gradients.values()).clamp_min(1e-12)
        for parameter, gradient in gradients.items():
            parameter.add_(gradient * (radius / length))
            parameter.grad = None
    yield
    with torch.no_grad():
        for tensor, value in zip(kept, before, strict=True):
            tensor.copy_(value)
