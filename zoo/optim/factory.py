"""Optimisers by name: functions from groups of parameters and options to an optimiser.

To add your own, write it below `@OPTIMIZERS.register("name")` in a folder of `zoo.add_path`.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.optim.muon import CombinedOptimizer, Muon
from zoo.optim.schedules import SCHEDULES

OPTIMIZERS: Registry[Callable[..., Optimizer]] = Registry("optimiser", "OPTIMIZERS")

NOT_STACKED = ("muon",)  # optimisers that tell weights from biases by their number of axes


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


OPTIONAL: Mapping[str, tuple[str, Callable[[Any], bool]]] = {  # the rule for each, and its check; null switches it off
    "ema": ("a decay between 0 and 1, such as 0.99", lambda value: _is_number(value) and 0 < value < 1),
    "lookahead": ("a number of updates, such as 5", lambda value: type(value) is int and value > 0),
    "clip": ("a length above 0, such as 1", lambda value: _is_number(value) and value > 0),
    "anneal": ("the name of a schedule, such as flat_cosine", lambda value: value in SCHEDULES.names()),
    "sam": ("a length above 0, such as 0.05", lambda value: _is_number(value) and value > 0),
}


def complete_optim(optim: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in None for each of OPTIONAL that an optim section lacks, and check the others.

    Raises:
        UserError: for a schedule without options, or an impossible value.
    """
    optim = {**dict.fromkeys(OPTIONAL), **optim}
    if not isinstance(optim.get("schedule"), Mapping):
        raise UserError(f"optim.schedule has a name, optim.schedule.name=cosine; got {optim.get('schedule')}")
    for name, (rule, is_valid) in OPTIONAL.items():
        if optim[name] is not None and not is_valid(optim[name]):
            raise UserError(f"optim.{name} is {rule}, or null; got {optim[name]}")
    return optim


def create_optimizer(
    model: nn.Module, *, name: str, weight_decay: float, bias_lr: float = 1.0, **options: Any
) -> Optimizer:
    """Create the optimiser `name` for all parameters of a model.

    Weights that multiply (two or more axes) decay; biases, and the scales and shifts of normalisation, do not. Where a
    network has `factors` for a parameter, these decide.

    Args:
        model: whose parameters to optimise; of a `Stacked` model, each has one axis more.
        name: such as "sgd", "adam", "adamw" or "muon".
        weight_decay: of the weights that decay.
        bias_lr: factor on the learning rate of biases and normalisation. Other than 1, they decay as fast as the
            weights, for stability.
        options: the optimiser's own, such as `lr` or `momentum`.
    """
    if not isinstance(weight_decay, int | float):
        raise UserError(f"optim.weight_decay is a number, or auto where a training fills it in; got {weight_decay}")
    if not _is_number(bias_lr) or bias_lr <= 0:
        raise UserError(f"optim.bias_lr is a factor above 0, such as 1.0; got {bias_lr}")
    is_stacked = getattr(model, "n_models", 1) > 1
    if is_stacked and name in NOT_STACKED:
        raise UserError(f"optim={name} trains one seed at a time; for several: -m seed=0,1")
    n_axes = 3 if is_stacked else 2
    parameters, factored = _parameters(model)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.dim() >= n_axes], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < n_axes], "weight_decay": 0.0},
    ]
    if bias_lr != 1:
        groups[1] |= {"lr": bias_lr * options["lr"], "weight_decay": weight_decay / bias_lr}
    for (of_lr, of_decay), some in factored.items():
        groups.append({"params": some, "lr": of_lr * options["lr"], "weight_decay": of_decay * weight_decay})
    try:
        return OPTIMIZERS.get(name)([group for group in groups if group["params"]], **options)
    except (TypeError, ValueError) as error:
        raise UserError(f"optim.name={name}: {error}") from error


def _parameters(model: nn.Module) -> tuple[list[nn.Parameter], dict[tuple[float, float], list[nn.Parameter]]]:
    """The parameters to train: those without factors of the network, and those of each pair of factors."""
    plain: list[nn.Parameter] = []
    factored: dict[tuple[float, float], list[nn.Parameter]] = {}
    patterns: Mapping[str, Any] = getattr(model, "factors", {})
    for name, parameter in model.named_parameters():
        own = name.removeprefix("network.").replace("/", ".")  # of a `Stacked` model, with slashes
        factors = next((pair for pattern, pair in patterns.items() if fnmatchcase(own, pattern)), None)
        if parameter.requires_grad:
            (plain if factors is None else factored.setdefault(factors, [])).append(parameter)
    return plain, factored


@OPTIMIZERS.register("sgd")
def sgd(groups: list[dict[str, Any]], *, lr: float, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """Stochastic gradient descent: plain, with momentum, or with Nesterov's momentum."""
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)


@OPTIMIZERS.register("adam")
def adam(groups: list[dict[str, Any]], *, lr: float, betas: Sequence[float] = (0.9, 0.999)) -> Optimizer:
    """Adam (arXiv 1412.6980): each weight's step is divided by its gradient's recent size."""
    beta1, beta2 = betas
    return torch.optim.Adam(groups, lr=lr, betas=(beta1, beta2), fused=True)


@OPTIMIZERS.register("adamw")
def adamw(groups: list[dict[str, Any]], *, lr: float, betas: Sequence[float] = (0.9, 0.999)) -> Optimizer:
    """Adam with decoupled weight decay (arXiv 1711.05101)."""
    beta1, beta2 = betas
    return torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), fused=True)


@OPTIMIZERS.register("muon")
def muon(
    groups: list[dict[str, Any]], *, lr: float, momentum: float = 0.95, adamw_lr: float = 1e-3, n_steps: int = 5
) -> Optimizer:
    """Muon for the weights that multiply, with `lr`, and AdamW for all else, with `adamw_lr`.
    Deviation: Muon trains the weights of the first and the last layer too."""
    weights = [group for group in groups if group["params"][0].dim() >= 2]
    others = [group for group in groups if group["params"][0].dim() < 2]
    muon = Muon(weights, lr=lr, momentum=momentum, n_steps=n_steps)
    return CombinedOptimizer([muon, torch.optim.AdamW(others, lr=adamw_lr, fused=True)])
