"""Losses by name."""

from typing import Any

import torch.nn.functional as F

from zoo.core.registry import Registry

LOSSES: Registry[Any] = Registry("loss", "LOSSES")

LOSSES.register("mse")(F.mse_loss)
LOSSES.register("mae")(F.l1_loss)
LOSSES.register("huber")(F.huber_loss)
