"""The moving average of weights."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Averages weights and buffers exponentially, after each update; validation and checkpoints use the average.

    Args:
        decay: share of the average that an update keeps, between 0 and 1.
        device: to hold the average on.
    """

    def __init__(self, decay: float, device: torch.device):
        super().__init__(device=device, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Follow the optimiser itself: Lightning may see several updates as one."""
        average = self._average_model
        assert average is not None
        trainer.optimizers[0].register_step_post_hook(lambda *_: average.update_parameters(pl_module))

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Nothing is left to do."""

    def on_train_epoch_end(self, *_: Any, **__: Any) -> None:
        """Nothing is left to do."""
