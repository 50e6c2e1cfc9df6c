"""Muon, for the weights of convolutions too, and another optimiser beside it for all else."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Muon(Optimizer):
    """Steps of the same length in every direction, however the gradient is shaped (K. Jordan et al., "Muon: an
    optimizer for hidden layers in neural networks", 2024).

    torch.optim.Muon takes matrices alone; a convolution's weight is one here too, (outputs, everything else).

    Args:
        groups: of parameters with two or more axes.
        lr: of a matrix with at least as many columns as rows; that of others is larger by the root of rows / columns.
        momentum: Nesterov's, of a moving average of gradients.
        weight_decay: apart from the gradient, times `lr`.
        n_steps: of the iteration that makes a step orthogonal.
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
        """One step, after one evaluation of `closure`."""
        loss = _evaluated(closure)
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
        step = orthogonal(direction, group["n_steps"]).reshape(weight.shape)
        weight.add_(step, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor, n_steps: int = 5) -> Tensor:
    """A matrix (rows, columns) in bfloat16 with the singular vectors of `matrix` and values near 1, 0.7 to 1.2: the
    quintic iteration of Newton and Schulz with K. Jordan's coefficients."""
    wide = matrix.bfloat16()
    if tall := matrix.shape[0] > matrix.shape[1]:
        wide = wide.T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(n_steps):
        square = wide @ wide.T
        polynomial = torch.addmm(square, square, square, beta=-4.775, alpha=2.0315)
        wide = torch.addmm(wide, polynomial, wide, beta=3.4445)
    return wide.T if tall else wide


class Both(Optimizer):
    """Several optimisers, each with parameters of its own, that step as one."""

    def __init__(self, parts: list[Optimizer]):
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of each part, after one evaluation of `closure`."""
        loss = _evaluated(closure)
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


def _evaluated(closure: Callable[[], Any] | None) -> Any:
    """What an optimiser's closure gives, where there is one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()
