"""Sharpness-aware minimisation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def perturbed(model: nn.Module, radius: float) -> Iterator[None]:
    """Move the weights by `radius` along their gradient within the context: to first order, to the highest loss nearby.
    The gradient computed there is the one to step by (P. Foret et al., arXiv 2010.01412, section 2).

    Args:
        model: with gradients, which are cleared; its buffers, such as BatchNorm's means, are restored at the end.
        radius: length of the move of all weights together.
    """
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.detach().clone() for tensor in tensors]
    gradients = {parameter: parameter.grad for parameter in model.parameters() if parameter.grad is not None}
    with torch.no_grad():
        norm = nn.utils.get_total_norm(gradients.values()).clamp_min(1e-12)
        for parameter, gradient in gradients.items():
            parameter.add_(gradient * (radius / norm))
            parameter.grad = None
    yield
    with torch.no_grad():
        for tensor, value in zip(tensors, before, strict=True):
            tensor.copy_(value)
