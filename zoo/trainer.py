"""Lightning's Trainer as the zoo uses it: settings checked and resolved, saving safe, notices silenced."""

import contextlib
import inspect
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import Logger

from zoo.callbacks import History, Progress, SaveOnSignal, StopOnDivergence
from zoo.checkpoint import SafeCheckpointIO
from zoo.errors import UserError, unknown
from zoo.modules import ZooModule

Config = Mapping[str, Any]
OWN_KEYS = ("compile", "threads", "keep")  # of a trainer section; all others are Lightning's


def trainer_settings(trainer: Config) -> dict[str, Any]:
    """The keywords of Lightning's Trainer for a config's `trainer` section, with a precision of "auto" resolved.

    Raises:
        UserError: when a GPU is asked for and there is none, or a keyword or value is not Lightning's.
    """
    settings = {key: value for key, value in trainer.items() if key not in OWN_KEYS}
    known = inspect.signature(L.Trainer).parameters
    for key in settings:
        if key not in known:
            raise unknown("keyword of trainer", key, [*known, *OWN_KEYS])
    if trainer["keep"] not in ("best", "last"):
        raise unknown("checkpoint: trainer.keep", trainer["keep"], ("best", "last"))
    if trainer["threads"] is not None and not (isinstance(trainer["threads"], int) and trainer["threads"] > 0):
        raise UserError(f"trainer.threads is a whole number from 1, or null; got {trainer['threads']}")
    epochs = settings["max_epochs"]
    if epochs != "auto" and not (isinstance(epochs, int) and epochs > 0):
        raise UserError(f"trainer.max_epochs is a whole number from 1, or auto; got {epochs}")
    if settings["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            "trainer=gpu: no CUDA device is available here; use trainer=cpu, or trainer=auto to take what is"
        )
    if settings["precision"] == "auto":
        on_cpu = settings["accelerator"] == "cpu" or not torch.cuda.is_available()
        settings["precision"] = "bf16-mixed" if _has_fast_bf16(on_cpu) else "32"
    return settings


def _has_fast_bf16(on_cpu: bool) -> bool:
    if on_cpu:
        return torch.cpu._is_avx512_bf16_supported()
    return torch.cuda.is_bf16_supported(including_emulation=False)


def fill_auto(config: Config, n: int) -> Config:
    """A config whose "auto"s that depend on the number of training samples, `n`, are filled in.

    Batches are a thirtieth of the samples, from 16 to 256; some 3,000 steps are taken in 10 to 100 epochs; the weight
    decay is 1,000 / n, from 0.01 to 3.
    """
    batch_size = min(max(2 ** round(math.log2(n / 32)), 16), 256)
    values = {
        ("data", "batch_size"): batch_size,
        ("trainer", "max_epochs"): min(max(math.ceil(3000 * batch_size / n), 10), 100),
        ("optim", "weight_decay"): min(max(1000 / n, 0.01), 3.0),
    }
    filled = {section: dict(config[section]) for section in ("data", "trainer", "optim")}
    for (section, key), value in values.items():
        if filled[section].get(key) == "auto":
            filled[section][key] = value
    return {**config, **filled}


def create_trainer(
    folder: Path,
    config: Config,
    settings: Config,
    module: ZooModule,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
) -> L.Trainer:
    """Lightning's Trainer with the callbacks that every training has.

    Args:
        folder: the run folder.
        config: of the training.
        settings: what `trainer_settings` gave.
        module: to be compiled in place, if the config says so.
        callbacks: further ones.
        loggers: beside the run folder's own metrics.csv.
    """
    if config["trainer"]["compile"]:
        module.model.network.compile()
    _quiet()
    checkpoints = folder / "checkpoints"
    each_epoch: Any = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    own = [
        History(folder / "metrics.csv"),
        Progress(),
        StopOnDivergence(),
        ModelCheckpoint(checkpoints, filename="best", monitor="val/loss", **each_epoch),
        ModelCheckpoint(checkpoints, filename="last", **each_epoch),
        SaveOnSignal(checkpoints / "last.ckpt"),
    ]
    try:
        return L.Trainer(
            **settings,
            gradient_clip_val=config["optim"]["clip"],
            callbacks=[*own, *callbacks],
            logger=list(loggers) or False,
            plugins=[SafeCheckpointIO()],
            default_root_dir=folder,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UserError(f"trainer: {error}") from error


def _quiet() -> None:
    """Silence what is no concern of the user's: data in memory needs no workers, our batches resume by themselves,
    metrics are reduced before they are logged, and Lightning's own notices and deprecations."""
    for message in (
        ".*does not have many workers.*",
        ".*dataloader is not resumable.*",
        ".*Checkpoint directory .* exists.*",
        ".*recommended to use .*sync_dist.*",
        ".*LeafSpec.*is deprecated.*",
    ):
        warnings.filterwarnings("ignore", message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextlib.contextmanager
def threads(n: int | None) -> Iterator[None]:
    """Let torch use `n` threads of the CPU within the block; None leaves their number as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(n or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_device(trainer: L.Trainer) -> str:
    """The device, precision and processes of a training, in words."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return f"{name}, precision {trainer.precision}" + (f", {trainer.world_size} processes" * (trainer.world_size > 1))
