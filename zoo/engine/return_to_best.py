"""Return to the weights and the optimiser's state of the best epoch, within a training."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.optim.averaging import Lookahead, MovingAverage


def return_to_best(trainer: L.Trainer, module: Any, path: Path) -> None:
    """Take weights, moments and averages from the checkpoint of the best epoch; place and learning rate stay.

    Args:
        trainer, module: in training.
        path: of the checkpoint.
    """
    (optimizer,) = trainer.optimizers
    options = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    checkpoint: Any = trainer.strategy.load_checkpoint(path, weights_only=True)
    trainer.strategy.load_model_state_dict(checkpoint)
    trainer.strategy.load_optimizer_state_dict(checkpoint)
    for group, before in zip(optimizer.param_groups, options, strict=True):
        group.update(before)
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, MovingAverage | Lookahead):
            callback.load_state_dict(checkpoint["callbacks"][callback.state_key])
            callback.on_load_checkpoint(trainer, module, checkpoint)
            callback.on_train_start(trainer, module)
