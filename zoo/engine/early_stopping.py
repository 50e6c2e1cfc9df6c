"""Early stopping on any metric of the task."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from zoo.core.errors import UserError


class EarlyStopping(LightningEarlyStopping):
    """Lightning's, which stops when a metric no longer improves; each metric says whether lower or higher is better.

    Args:
        monitor: "val/loss", "train/loss", or a metric of the task, such as "val/accuracy".
        mode: "min" or "max", for a metric that another callback logs; None asks the metric.
        options: Lightning's own, such as `patience`.
    """

    def __init__(self, monitor: str = "val/loss", mode: str | None = None, **options: Any):
        super().__init__(monitor, mode=mode or "min", **options)
        self._mode, self._options = mode, options

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._mode is None:
            super().__init__(self.monitor, mode=self._better(pl_module), **self._options)
        super().setup(trainer, pl_module, stage)

    def _better(self, module: Any) -> str:
        """The mode of the monitored metric.

        Raises:
            UserError: for a metric that the training does not log.
        """
        higher = {f"val/{name}": metric.higher_is_better for name, metric in module.val_metrics.items()}
        higher |= {"train/loss": False, "val/loss": False}
        if higher.get(self.monitor) is None:
            raise UserError(
                f"early stopping monitors one of {', '.join(sorted(higher))}; got {self.monitor}\n"
                "for another that a callback logs, callbacks.early_stopping.mode= says what is better, min or max"
            )
        return "max" if higher[self.monitor] else "min"
