"""Muon, for the weights of convolutions too, and several optimisers as one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Muon(Optimizer):
    """Momentum whose steps are orthogonalised: of the same length in every direction (K. Jordan et al., "Muon: an
    optimizer for hidden layers in neural networks", 2024).

    Deviation from torch.optim.Muon, which takes matrices alone: a convolution's weight is a matrix here too, (outputs,
    everything else).

    Args:
        groups: of parameters with two or more axes.
        lr: for a matrix with at least as many columns as rows; for others it is multiplied by sqrt(rows / columns).
        momentum: Nesterov's, with a moving average of gradients.
        weight_decay: decoupled, times `lr`.
        n_steps: of the iteration that orthogonalises a step.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        n_steps: int = 5,
    ):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "n_steps": n_steps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step once, after one evaluation of `closure`."""
        loss = _evaluate(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(weight, weight.grad, group)
        return loss

    def _step(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, momentum = self.state[weight], group["momentum"]
        if not state:
            state["average"] = torch.zeros_like(gradient)
        state["average"].lerp_(gradient, 1 - momentum)
        direction = gradient.lerp(state["average"], momentum).flatten(1)
        rows, columns = direction.shape
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        step = orthogonalize(direction, group["n_steps"]).reshape(weight.shape)
        weight.add_(step, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


def orthogonalize(matrix: Tensor, n_steps: int = 5) -> Tensor:
    """Replace the singular values of a matrix (rows, columns) by values near 1, from 0.7 to 1.2; returns bfloat16.

    Newton and Schulz's iteration of fifth order, with K. Jordan's coefficients.
    """
    wide = matrix.bfloat16()
    if tall := matrix.shape[0] > matrix.shape[1]:
        wide = wide.T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(n_steps):
        square = wide @ wide.T
        polynomial = torch.addmm(square, square, square, beta=-4.775, alpha=2.0315)
        wide = torch.addmm(wide, polynomial, wide, beta=3.4445)
    return wide.T if tall else wide


class CombinedOptimizer(Optimizer):
    """Several optimisers, each with its own parameters, that step as one."""

    def __init__(self, parts: list[Optimizer]):
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step with each part, after one evaluation of `closure`."""
        loss = _evaluate(closure)
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The parts' states, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def _evaluate(closure: Callable[[], Any] | None) -> Any:
    """Call an optimiser's closure with gradients on; None without one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()
