"""Lightning's Trainer as the zoo uses it: settings checked, saving safe, handled warnings suppressed."""

import contextlib
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.core.errors import UserError, unknown_name
from zoo.engine.best_of_each import BestOfEach
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.checkpointing import Best, Saving
from zoo.engine.divergence import Divergence
from zoo.engine.families import ZooModule
from zoo.engine.history import History
from zoo.engine.processes import watch_processes
from zoo.engine.progress import Progress
from zoo.engine.sharding import Sharded
from zoo.engine.speed.cuda_check import quick_cuda_check
from zoo.engine.speed.memory import memory_kept

Config = Mapping[str, Any]
# of a trainer section; all others are Lightning's
OWN_KEYS = ("accumulate_grad_batches", "compile", "threads", "keep", "save_every", "n_checkpoints", "rollback")
COUNTS = ("accumulate_grad_batches", "n_checkpoints", "check_val_every_n_epoch")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")


def check_trainer(trainer: Config) -> None:
    """Raise UserError where a config's `trainer` section has what is not Lightning's or the zoo's, or asks for a GPU
    that there is not."""
    known = [*inspect.signature(L.Trainer).parameters, *OWN_KEYS]
    for key in trainer:
        if key not in known:
            raise unknown_name("keyword of trainer", key, known)
    lacking = [key for key in (*OWN_KEYS, "accelerator", "strategy", "precision", "max_epochs") if key not in trainer]
    if lacking:
        raise UserError(f"the section trainer lacks {', '.join(lacking)}; zoo.config gives a config with all")
    for key, choices in (("keep", ("best", "last")), ("compile", (None, *COMPILE_MODES))):
        if trainer[key] not in choices:
            raise unknown_name(f"choice of trainer.{key}", str(trainer[key]), map(str, choices))
    whole = {"threads": "auto", "max_epochs": "auto"} | dict.fromkeys(COUNTS)
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
    rollback = trainer["rollback"]
    if rollback is not None and not (isinstance(rollback, float) and 0 < rollback < 1):
        raise UserError(f"trainer.rollback is a number between 0 and 1, such as 0.5, or null; got {rollback}")
    if trainer["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            "trainer=gpu: no CUDA device is available here; use trainer=cpu, or trainer=auto to take what is"
        )


def create_trainer(
    folder: Path,
    config: Config,
    module: ZooModule,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    diverged: int = 0,
) -> L.Trainer:
    """Lightning's Trainer with the callbacks that every training has.

    Args:
        folder: the run folder.
        config: of the training, its trainer section checked and without an "auto" that is not Lightning's.
        module: told how many batches make an update and whether its weights are cut over the processes, and compiled
            in place, if the config says so.
        callbacks: further ones.
        loggers: beside the run folder's own metrics.csv.
        diverged: how often this training did.
    """
    module.accumulate = config["trainer"]["accumulate_grad_batches"]
    if module.model.n_models > 1 and config["trainer"]["compile"]:
        raise UserError("several seeds are trained at once without trainer.compile")
    if config["trainer"]["compile"]:
        module.model.network.compile(mode=config["trainer"]["compile"])
    module.sharded = config["trainer"]["strategy"] == "fsdp"
    _quiet()
    checkpoints, rate = folder / "checkpoints", config["trainer"]["rollback"] or 1.0
    own = [
        History(folder / "metrics.csv"),
        Progress(),
        *[BestOfEach()] * (module.model.n_models > 1 and config["trainer"]["keep"] == "best"),
        Divergence(rate, diverged),
        Best(checkpoints),
        Saving(checkpoints, config["trainer"]["save_every"], config["trainer"]["n_checkpoints"]),
    ]
    try:
        trainer = L.Trainer(
            **{key: value for key, value in config["trainer"].items() if key not in (*OWN_KEYS, "strategy")},
            strategy=Sharded() if module.sharded else config["trainer"]["strategy"],
            callbacks=[*own, *callbacks],
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
    if trainer.world_size > 1:
        watch_processes()
    if config["optim"].get("clip") and getattr(trainer.precision_plugin, "scaler", None):
        raise UserError("optim.clip and trainer.precision=16-mixed do not go together; take bf16-mixed")
    if config["trainer"]["rollback"] and trainer.world_size > 1:
        raise UserError("trainer.rollback is for one process; take trainer.devices=1 or trainer.rollback=null")
    if module.model.n_models > 1 and trainer.world_size > 1:
        raise UserError("several seeds are trained at once in one process; take trainer.devices=1, or -m seed=0,1")
    return trainer


def _quiet() -> None:
    """Silence what is no concern of the user's: data in memory needs no workers, our batches resume by themselves,
    metrics are reduced before they are logged, an epoch may be without validation, and Lightning's own notices and
    deprecations."""
    for message in (
        ".*does not have many workers.*",
        ".*dataloader is not resumable.*",
        ".*Checkpoint directory .* exists.*",
        ".*recommended to use .*sync_dist.*",
        ".*could not find the monitored key.*",
        ".*LeafSpec.*is deprecated.*",
        ".*overrides the configure_model.*",
    ):
        warnings.filterwarnings("ignore", message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextlib.contextmanager
def quick_steps() -> Iterator[None]:
    """Spare the steps of a training what the machine has them wait for: clean memory, and news of its driver."""
    with memory_kept(), quick_cuda_check():
        yield


def describe_device(trainer: L.Trainer) -> str:
    """The device, precision and processes of a training, in words."""
    device = trainer.strategy.root_device
    n = torch.get_num_threads()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {n} thread{'s' * (n > 1)}"
    return f"{name}, precision {trainer.precision}" + (f", {trainer.world_size} processes" * (trainer.world_size > 1))
