"""Losses by name, `family/name`: a task takes those of its `family` by `task.loss=name`.

A loss is a function of a model's outputs and the targets, both on the network's scale, that gives their mean, a scalar.

- `regression/...`: values and targets of one shape.
- `quantiles/...` and `gaussian/...`, of the heads of these names (`zoo.tasks.heads`), give the loss of each value
  instead of the mean: of quantiles (batch, n, ...), targets (batch, ...) and levels (n,); of means, standard deviations
  and targets, each (batch, ...).
- `classification/...`: logits (n, n_classes) and classes (n,), or weights of each class (n, n_classes) where targets
  are mixed, smoothed or weighted. For `task.class_weights` it has an argument `reduction`, for `task.label_smoothing`
  one of that name, both as `torch.nn.functional.cross_entropy`. `IGNORE_INDEX` marks steps of a text without a target.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import unknown_name
from zoo.core.registry import Registry
from zoo.core.spec import IGNORE_INDEX

LOSSES: Registry[Any] = Registry("loss", "LOSSES")

LOSSES.register("regression/mse")(F.mse_loss)
LOSSES.register("regression/mae")(F.l1_loss)
LOSSES.register("regression/huber")(F.huber_loss)
LOSSES.register("classification/cross_entropy")(F.cross_entropy)


@LOSSES.register("classification/focal")
def focal(
    logits: Tensor, target: Tensor, reduction: str = "mean", label_smoothing: float = 0.0, gamma: float = 2.0
) -> Tensor:
    """Cross entropy that gives less weight to what is easy (T.-Y. Lin et al., arXiv 1708.02002, section 3.2): each
    logarithm of a probability p is multiplied by (1 - p) ** gamma."""
    logs = logits.log_softmax(1)
    logs = logs * (1 - logs.exp()) ** gamma  # (n, n_classes)
    if target.is_floating_point():
        loss = -(target * logs).sum(1)
    else:
        loss = F.nll_loss(logs, target, ignore_index=IGNORE_INDEX, reduction="none")
    loss = loss.lerp(-logs.mean(1), label_smoothing)
    if reduction == "mean":
        n = len(target) if target.is_floating_point() else (target != IGNORE_INDEX).sum()
        return loss.sum() / n
    return loss.sum() if reduction == "sum" else loss


def find_loss(family: str, name: str) -> Callable[..., Tensor]:
    """The loss `name` of a task's family; an unknown name raises UserError with the nearest."""
    names = [entry.removeprefix(f"{family}/") for entry in LOSSES.names(f"{family}/*")]
    if name not in names:
        raise unknown_name("loss", name, names)
    return LOSSES.get(f"{family}/{name}")
