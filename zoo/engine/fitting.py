"""Fit the models of a training: from a checkpoint, if there is one, and back to the best epoch where it diverges."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.core.checkpoint_file import is_sound
from zoo.core.errors import DivergedError, UserError
from zoo.core.formatting import format_seconds
from zoo.core.rank_zero import is_rank_zero, rank_zero_print
from zoo.core.run_folder import Run
from zoo.data.module import ZooDataModule, loader_options
from zoo.data.splits import Splits
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.data_guard import DataGuard
from zoo.engine.early_stopping import EarlyStopping
from zoo.engine.families import create_module
from zoo.engine.history import History
from zoo.engine.initial_module import initial_module
from zoo.engine.load_splits import TrainingSplits
from zoo.engine.module import ZooModule
from zoo.engine.processes import lost_process
from zoo.engine.resources import batch_work, fit_machine
from zoo.engine.setting_errors import setting_error
from zoo.engine.speed.best_of_each import BestOfEach
from zoo.engine.speed.fit import Fit
from zoo.engine.speed.tricks import speed_up
from zoo.engine.trainer import create_trainer, describe_device, own_callbacks
from zoo.optim.averaging import Lookahead, MovingAverage
from zoo.settings.training_config import TrainingConfig, fill_from

ROLLBACKS = 10  # in a training, at most


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        config: checked, with every number that depends on the data.
        run: the run folder.
        callbacks: the user's.
        loggers: beside the run folder's own metrics.csv.
        splits: the config's data, where they are loaded already.
    """

    config: TrainingConfig
    run: Run
    callbacks: Sequence[Callback] = field(default=())
    loggers: Sequence[Logger] = field(default=())
    splits: Splits | None = None


@dataclass(frozen=True)
class Fitted:
    """Models at the end of their training.

    Attributes:
        module: with the weights to release.
        trainer: that fitted it.
        epochs: whose weights they are, for each model.
        stopped: what ended the training: validation, budget or epochs.
        seconds: of fitting, those before a resume too.
        seconds_before: of the whole training before a resume.
    """

    module: ZooModule
    trainer: L.Trainer
    epochs: Sequence[int]
    stopped: str
    seconds: float
    seconds_before: float


def fit(training: Training, data: TrainingSplits, checkpoint: Path | None) -> Fitted | None:
    """Train a model for each seed, and take each one's best or last weights; None in processes but the first.

    Raises:
        DivergedError: where the config has no rollback, or ten were in vain.
        UserError: for settings that do not fit the data or the checkpoint.
    """
    history = History(training.run.history)
    module, trainer = _fit_with_rollbacks(training, data, checkpoint, history)
    seconds, before = history.seconds, history.resumed
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # only the first process continues
    if not trainer.is_global_zero:
        return None
    if module.sharded:
        module = create_module(**module.hparams)  # whole, to take a checkpoint's weights
    epochs = _take_weights(module, trainer, training)
    return Fitted(module, trainer, epochs, _find(trainer, EarlyStopping).stopped, seconds, before)


def _fit_with_rollbacks(
    training: Training, data: TrainingSplits, checkpoint: Path | None, history: History
) -> tuple[ZooModule, L.Trainer]:
    """Fit; where it diverges, and the config says so, start over from the best epoch with a lower learning rate."""
    diverged = 0
    while True:
        try:
            return _fit_once(training, data, checkpoint, history, diverged)
        except DivergedError as error:
            if training.config.trainer["rollback"] is None or error.times == ROLLBACKS:
                raise
            diverged = error.times + 1
            line = str(error).splitlines()[0]
            rank_zero_print(f"{line}; rolled back to it, learning rate lowered (time {diverged})")
            best = training.run.checkpoints / "best.ckpt"
            checkpoint = best if is_sound(best) else None
            history.rows = []  # the checkpoint brings its own


def _fit_once(
    training: Training, data: TrainingSplits, checkpoint: Path | None, history: History, diverged: int
) -> tuple[ZooModule, L.Trainer]:
    config = training.config
    module = initial_module(config, data.splits)
    batches = ZooDataModule(data.splits, seeds=config.all_seeds, **loader_options(config.data))
    callbacks = [DataGuard(training.run, data.hashes), *training.callbacks]
    work = batch_work(module, batches)
    section = fit_machine(config.trainer, work)
    torch.set_num_threads(section["threads"])
    if is_rank_zero():
        chosen = replace(config, trainer=section).plain()
        training.run.write_config(fill_from(training.run.read_config(), chosen))
    best = training.run.checkpoints / "best.ckpt"
    ending = EarlyStopping(history, section.get("patience"), config.budget_seconds, best)
    own = own_callbacks(training.run.checkpoints, section, module, history, ending, diverged)
    trainer = create_trainer(training.run.folder, section, module, [*own, *callbacks], training.loggers)
    if checkpoint is not None and config.resume != "changed":
        _check_callbacks(trainer, checkpoint)
    rank_zero_print(_announcement(config, data, trainer))
    try:
        with speed_up(section.get("tricks", "all"), Fit(trainer, module, batches, callbacks, work)):
            trainer.fit(module, batches, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)
    except DivergedError:
        raise
    except (ValueError, RuntimeError) as error:
        known = (lost_process(error) if trainer.world_size > 1 else None) or setting_error(error, config, checkpoint)
        if known is None:
            raise
        raise known from error
    return module, trainer


def _check_callbacks(trainer: L.Trainer, checkpoint: Path) -> None:
    """Raise UserError where a callback of the user's has a state in the checkpoint and is not there now."""
    saved = SafeCheckpointIO().load_checkpoint(checkpoint).get("callbacks", {})
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    here = {type(callback).__name__ for callback in callbacks} | {Lookahead.__name__, MovingAverage.__name__}
    lost = {key.partition("{")[0] for key in saved} - here  # the module adds its two averages later
    if lost:
        raise UserError(
            f"this training had the callback {', '.join(sorted(lost))}; name it again under callbacks, or continue "
            "without it by resume=changed"
        )


def _announcement(config: TrainingConfig, data: TrainingSplits, trainer: L.Trainer) -> str:
    seeds = ", ".join(map(str, config.all_seeds))
    return (
        f"training {config.model['name']} on {data.splits.spec.name}, {describe_device(trainer)}, "
        f"seed{'s' * (len(config.all_seeds) > 1)} {seeds}{_length(config)}"
    )


def _length(config: TrainingConfig) -> str:
    """How long a training lasts, in words; empty where that is a number of epochs."""
    budget, n = config.budget_seconds, config.trainer["max_epochs"]
    limit = f", at most {format_seconds(budget)} (budget=10min for more)" if budget else ""
    if config.trainer.get("patience"):
        return "\ntrains until validation stops improving" + (limit or f", at most {n} epochs")
    return limit and f"\ntrains for {n} epochs{limit}"


def _take_weights(module: ZooModule, trainer: L.Trainer, training: Training) -> Sequence[int]:
    """Load the weights to release into the module, and return the epoch that they are of, for each model."""
    best = _find(trainer, BestOfEach)
    path = training.run.chosen("last" if best else training.config.trainer["keep"])
    chosen = SafeCheckpointIO().load_checkpoint(path, map_location="cpu")
    state = module.state_dict()  # with the versions of layers, which an average of weights lacks
    state.update(chosen["state_dict"])
    module.load_state_dict(state)
    if best is None or not best.epochs:
        return [chosen["epoch"] + 1] * module.n_models
    module.model.load_state_dict(best.values)
    return best.epochs


def _find(trainer: L.Trainer, kind: type[Callback]) -> Any:
    """The trainer's callback of a kind, or None."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, kind)), None)
