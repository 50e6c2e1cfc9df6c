"""Create Lightning's Trainer: settings checked, safe saving, the zoo's callbacks."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.core.errors import UserError, unknown_name
from zoo.core.library_warnings import ignore_library_warnings
from zoo.core.rank_zero import rank_zero_print
from zoo.core.run_folder import DRAFTS
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.checkpointing import Best, Saving
from zoo.engine.divergence import Divergence
from zoo.engine.drafts import Drafts
from zoo.engine.early_stopping import EarlyStopping
from zoo.engine.history import History
from zoo.engine.module import ZooModule
from zoo.engine.processes import watch_processes
from zoo.engine.progress import Progress
from zoo.engine.restore_settings import RestoreSettings
from zoo.engine.sharding import Sharded
from zoo.engine.speed.best_of_each import BestOfEach
from zoo.engine.speed.tricks import check_tricks

Config = Mapping[str, Any]
# keys of the trainer section that Lightning's Trainer does not take
NEEDED_KEYS = ("accumulate_grad_batches", "compile", "threads", "keep", "save_every", "n_checkpoints", "rollback")
OWN_KEYS = (*NEEDED_KEYS, "tricks", "patience")
COUNTS = ("accumulate_grad_batches", "n_checkpoints", "check_val_every_n_epoch")
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed", "64": "64-true"}  # short names and Lightning's
OTHER_PRECISIONS = ("bf16-true", "16-true", "transformer-engine", "transformer-engine-float16")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")


def check_trainer(trainer: Config) -> None:
    """Raise UserError for an unknown or impossible setting of a config's `trainer` section."""
    known = [*inspect.signature(L.Trainer).parameters, *OWN_KEYS]
    for key in trainer:
        if key not in known:
            raise unknown_name("keyword of trainer", key, known)
    check_tricks(trainer.get("tricks", "all"))
    needed = (*NEEDED_KEYS, "accelerator", "strategy", "precision", "max_epochs")
    lacking = [key for key in needed if key not in trainer]
    if lacking:
        raise UserError(f"the section trainer lacks {', '.join(lacking)}; zoo.config gives a config with all")
    for key, choices in (("keep", ("auto", "best", "last")), ("compile", (None, *COMPILE_MODES))):
        if trainer[key] not in choices:
            raise unknown_name(f"choice of trainer.{key}", str(trainer[key]), map(str, choices))
    precisions = ("auto", *PRECISIONS, *PRECISIONS.values(), *OTHER_PRECISIONS)
    if str(trainer["precision"]) not in precisions:
        raise unknown_name("choice of trainer.precision", trainer["precision"], precisions)
    whole = {"threads": "auto", "max_epochs": "auto"} | dict.fromkeys(COUNTS)
    if trainer.get("patience") is not None:
        whole["patience"] = "auto"
    for key, other in whole.items():
        value = trainer[key]
        if value != other and not (isinstance(value, int) and value > 0):
            raise UserError(f"trainer.{key} is a whole number from 1{', or auto' if other else ''}; got {value}")
    if not isinstance(trainer["save_every"], int | float) or trainer["save_every"] < 0:
        raise UserError(f"trainer.save_every is seconds, at least 0; got {trainer['save_every']}")
    if trainer.get("limit_train_batches") == 0:
        raise UserError(
            "trainer.limit_train_batches is a number of batches from 1, or a share of them such as 0.5; got 0"
        )
    if trainer.get("gradient_clip_val") is not None:
        raise UserError(f"trainer.gradient_clip_val is optim.clip here: optim.clip={trainer['gradient_clip_val']}")
    if trainer.get("max_time") is not None:
        raise UserError(
            f"trainer.max_time is budget here, such as budget=90s or budget=2min; got {trainer['max_time']}"
        )
    rollback = trainer["rollback"]
    if rollback is not None and not (isinstance(rollback, float) and 0 < rollback < 1):
        raise UserError(f"trainer.rollback is a number between 0 and 1, such as 0.5, or null; got {rollback}")
    if trainer["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            "trainer=gpu: no CUDA device is available here; use trainer=cpu, or trainer=auto to take what is"
        )


def create_trainer(
    folder: Path,
    section: Config,
    module: ZooModule,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
) -> L.Trainer:
    """Create the Trainer for one training, and prepare the module for it.

    Args:
        folder: the run folder.
        section: the config's trainer section, checked, with every "auto" that is not Lightning's resolved.
        module: to train.
        callbacks: `own_callbacks`, and the user's.
        loggers: beside the run folder's own metrics.csv.
    """
    _prepare_module(module, section)
    ignore_library_warnings()
    try:
        trainer = L.Trainer(
            **{key: value for key, value in section.items() if key not in (*OWN_KEYS, "strategy", "precision")},
            precision=PRECISIONS.get(str(section["precision"]), section["precision"]),  # type: ignore[arg-type]
            strategy=Sharded() if module.sharded else section["strategy"],
            callbacks=list(callbacks),
            logger=list(loggers) or False,
            plugins=[SafeCheckpointIO()],
            default_root_dir=folder,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    except (MisconfigurationException, RuntimeError, ValueError, TypeError) as error:
        raise UserError(f"trainer: {error}") from error
    _check_combinations(trainer, module, section)
    if trainer.world_size > 1:
        watch_processes()
    return trainer


def _prepare_module(module: ZooModule, section: Config) -> None:
    module.accumulate, module.sharded = section["accumulate_grad_batches"], section["strategy"] == "fsdp"
    if section["compile"]:
        if module.n_models > 1:
            raise UserError("several seeds are trained at once without trainer.compile")
        module.model.network.compile(mode=section["compile"])


def own_callbacks(
    checkpoints: Path, section: Config, module: ZooModule, history: History, ending: EarlyStopping, diverged: int
) -> list[Callback]:
    """Create the callbacks that every training has.

    Args:
        checkpoints: their folder.
        section, module: as of `create_trainer`.
        history: of this training, also of what it did before it diverged.
        ending: decides where it ends.
        diverged: how often that happened so far.
    """
    divergence = Divergence(section["rollback"] or 1.0, diverged)
    return [
        history,
        ending,
        Progress(history, ending),
        *([Drafts(checkpoints.parent / DRAFTS)] if Drafts.suits(module) else []),
        *[BestOfEach()] * (module.n_models > 1 and section["keep"] == "best"),
        divergence,
        RestoreSettings(divergence),
        Best(checkpoints),
        Saving(checkpoints, section["save_every"], section["n_checkpoints"]),
    ]


def _check_combinations(trainer: L.Trainer, module: ZooModule, section: Config) -> None:
    """Raise UserError for settings that do not go together."""
    if module.optim["clip"] and trainer.precision == "16-mixed":
        raise UserError("optim.clip and trainer.precision=16-mixed do not go together; take bf16-mixed")
    if section["rollback"] and trainer.world_size > 1:
        raise UserError("trainer.rollback is for one process; take trainer.devices=1 or trainer.rollback=null")
    if module.n_models > 1 and trainer.world_size > 1:
        raise UserError("several seeds are trained at once in one process; take trainer.devices=1, or -m seed=0,1")
    if str(section["precision"]) in ("16", "16-mixed") and trainer.precision == "bf16-mixed":
        rank_zero_print(f"trainer.precision={section['precision']} needs a GPU; training with {trainer.precision}")
    every = trainer.val_check_interval  # a number of batches, or a share of an epoch's if it is a float
    if isinstance(every, int) and every % module.accumulate:
        raise UserError(
            "validation follows an update: trainer.val_check_interval is a multiple of "
            f"trainer.accumulate_grad_batches={module.accumulate}; got {every}"
        )


def describe_device(trainer: L.Trainer) -> str:
    """The device, precision and number of processes of a training, in words."""
    device = trainer.strategy.root_device
    n = torch.get_num_threads()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {n} thread{'s' * (n > 1)}"
    return f"{name}, precision {trainer.precision}" + (f", {trainer.world_size} processes" * (trainer.world_size > 1))
