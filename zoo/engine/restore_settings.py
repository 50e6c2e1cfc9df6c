"""Make the config count after a checkpoint was loaded, where Lightning would restore the settings of before."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.core.errors import UserError
from zoo.engine._lightning import saved_batches_done, saved_epochs_done, set_saved_batches_done
from zoo.engine.divergence import Divergence
from zoo.engine.updates import n_updates_done, place_in_epoch, set_rates


class RestoreSettings(Callback):
    """Sets the optimiser's options to the config's, and the schedule to the training's place in it. Refuses checkpoints
    that a training cannot resume from: of another optimiser, or of more epochs than trainer.max_epochs.

    Args:
        divergence: knows by how much the learning rate is lowered.
    """

    def __init__(self, divergence: Divergence):
        self.divergence = divergence

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        before, now = checkpoint["hyper_parameters"]["optim"]["name"], pl_module.hparams["optim"]["name"]
        if before != now:
            raise UserError(
                f"a training resumes with its optimiser; optim.name was {before} and is now {now}; reset it, or "
                "start from the weights in another folder, with finetune=<this one>"
            )
        n, n_max = saved_epochs_done(checkpoint), trainer.max_epochs
        if n_max is not None and 0 <= n_max < n:
            raise UserError(f"{n} epochs are trained already, and trainer.max_epochs={n_max}; raise trainer.max_epochs")
        n_batches = trainer.limit_train_batches  # of single batches, as the data module counted them; else 1.0
        if isinstance(n_batches, int):
            set_saved_batches_done(checkpoint, place_in_epoch(saved_batches_done(checkpoint), n_batches))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        module: Any = pl_module
        (optimizer,), schedule = trainer.optimizers, module.lr_schedulers()
        schedule.last_epoch = n_updates_done(module)
        schedule.base_lrs = [options["initial_lr"] * self.divergence.lr_factor for options in module.group_options]
        for group, options, lr in zip(optimizer.param_groups, module.group_options, schedule.base_lrs, strict=True):
            group.update(options, initial_lr=lr)
        set_rates(module)
