"""Notice data that changed since the checkpoint that a training goes on from."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.callbacks import EarlyStopping as LightningsEarlyStopping

from zoo.core.run_folder import Run
from zoo.data.fingerprints import SplitHashes, describe_changes, fingerprints, write_hashes
from zoo.engine.best_of_each import BestOfEach
from zoo.engine.checkpoint_io import SafeCheckpointIO


class DataNoted(Callback):
    """Notes in each checkpoint which data it was trained on, and in the run folder the keys of all samples.

    From a checkpoint of other data a training goes on with its weights alone: which epoch is best, and when to stop
    early, is told anew.

    Args:
        run: of the training.
        keys: of the samples of each split, and of those that trainings on other data knew before.
    """

    def __init__(self, run: Run, keys: SplitHashes):
        self.run, self.keys = run, keys
        self._told = fingerprints(keys)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["data"] = self._told

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if not describe_changes(checkpoint.get("data", {}), self._told):
            return
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        scoring = ModelCheckpoint | LightningsEarlyStopping | BestOfEach
        scored = {one.state_key for one in callbacks if isinstance(one, scoring)}
        checkpoint["callbacks"] = {key: state for key, state in checkpoint["callbacks"].items() if key not in scored}
        best = self.run.checkpoints / "best.ckpt"
        if trainer.is_global_zero and best.exists():
            SafeCheckpointIO().remove_checkpoint(best)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            write_hashes(self.run.samples, self.keys)
