"""The best epoch of each of several models that are trained at once."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor


class BestOfEach(Callback):
    """Keeps, for each model of a `StackedModule`, the weights of the epoch with its lowest validation loss.

    Attributes:
        epochs: these epochs, from 1.
        values: state of the stacked models, each at its best epoch.
    """

    def __init__(self) -> None:
        self.losses: Tensor | None = None
        self.epochs: list[int] = []
        self.values: dict[str, Tensor] = {}

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        losses, values = module.val_losses(), module.model.state_dict()
        if self.losses is None:
            self.losses, self.epochs = losses, [trainer.current_epoch + 1] * len(losses)
            self.values = {name: value.clone() for name, value in values.items()}
            return
        self.losses = self.losses.to(losses.device)  # a checkpoint's are on the CPU
        for index in (losses < self.losses).nonzero().flatten().tolist():
            self.epochs[index], self.losses[index] = trainer.current_epoch + 1, losses[index]
            for name, value in values.items():
                if name.startswith("network."):
                    self.values[name][index] = value[index]

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses, "epochs": self.epochs, "values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses, self.epochs, self.values = (state_dict[key] for key in ("losses", "epochs", "values"))
