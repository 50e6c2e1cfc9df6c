"""Fingerprints of the data in each checkpoint, so that a resume notices data that changed."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from zoo.core.errors import UserError
from zoo.core.run_folder import Run
from zoo.data.fingerprints import SplitHashes, describe_changes, fingerprints, write_hashes
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.early_stopping import EarlyStopping
from zoo.engine.speed.best_of_each import BestOfEach


class DataGuard(Callback):
    """Saves fingerprints of the splits in each checkpoint, and the hashes of all samples in the run folder.

    From a checkpoint of other data a training resumes only the weights: selection of the best epoch and early stopping
    start again.

    Args:
        run: of the training.
        hashes: of the samples of each split, and of those that trainings on other data saw before.
    """

    def __init__(self, run: Run, hashes: SplitHashes):
        self.run, self.hashes = run, hashes
        self._fingerprints = fingerprints(hashes)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["data"] = self._fingerprints

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        if not describe_changes(checkpoint.get("data", {}), self._fingerprints):
            return
        if getattr(pl_module, "n_candidates", 0):
            raise UserError(
                "a model that searches its training rows resumes on the same data only; start from its weights in "
                f"another folder, with finetune={self.run.folder}"
            )
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        scoring = ModelCheckpoint | EarlyStopping | BestOfEach
        scored = {callback.state_key for callback in callbacks if isinstance(callback, scoring)}
        checkpoint["callbacks"] = {key: state for key, state in checkpoint["callbacks"].items() if key not in scored}
        best = self.run.checkpoints / "best.ckpt"
        if trainer.is_global_zero and best.exists():
            SafeCheckpointIO().remove_checkpoint(best)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            write_hashes(self.run.samples, self.hashes)
