"""One training, from a plain config to a run folder with a release file, its metrics and a report."""

import contextlib
import datetime
import json
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.core.atomic_files import write_text
from zoo.core.checkpoint_file import is_sound
from zoo.core.config_paths import base_name, map_paths
from zoo.core.console import echo
from zoo.core.errors import DivergedError, UserError, unknown_name
from zoo.core.plugins import is_added
from zoo.core.rank_zero import is_rank_zero, rank_zero_print
from zoo.core.run_folder import Run
from zoo.core.spec import DataSpec
from zoo.core.system import hardware
from zoo.data.fingerprints import (
    SPLIT_ORDER,
    SplitHashes,
    describe_changes,
    fingerprints,
    read_hashes,
    split_hashes,
    write_hashes,
)
from zoo.data.leakage import earlier_hashes_key, seen_hashes
from zoo.data.module import ZooDataModule, load_section, loader_options
from zoo.data.splits import Splits, batches, each_value_once
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.data_guard import DataGuard
from zoo.engine.distillation import Distillation
from zoo.engine.families import ZooModule, create_module
from zoo.engine.history import History
from zoo.engine.processes import lost_process
from zoo.engine.resources import batch_work, fill_auto, fit_machine
from zoo.engine.speed.best_of_each import BestOfEach
from zoo.engine.speed.fit import Fit
from zoo.engine.speed.stacked import stack
from zoo.engine.speed.tricks import speed_up
from zoo.engine.trainer import Config, check_trainer, create_trainer, describe_device
from zoo.inference.evaluation import evaluate
from zoo.inference.finetuning import copy_weights
from zoo.inference.held_out import check_compatible, remove_seen, warn_about_leakage
from zoo.inference.predictor import Predictor
from zoo.inference.pretrained import list_pretrained, load
from zoo.inference.training_data import data_name
from zoo.inference.weights_file import save_weights
from zoo.models.model import Model
from zoo.report.page import write_report
from zoo.report.result import Result
from zoo.tasks import Task

VERSIONS = ("torch", "lightning", "torchmetrics", "hydra-core", "numpy", "scikit-learn")
REQUIRED = ("model", "data", "optim", "trainer")
WHOLE = 'zoo.config("fnn/mlp"), or another model, gives a config with every setting at its default'
HELD_OUT = ("val", "test")
ROLLBACKS = 10  # in a training, at most
DEFAULTS: Config = {
    "task": {},
    "seed": 0,
    "seeds": None,
    "run_dir": None,
    "resume": None,
    "finetune": None,
    "distill": {"teacher": None, "weight": 0.5, "temperature": 1.0},
    "zoo_path": None,
}


def train(
    config: Config,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Result:
    """Train a model as `config` says and leave everything in `run_dir`.

    Args:
        config: what `zoo.config` gives: plain values with the sections model, data, optim and trainer; and task, seed,
            resume, finetune and distill where they are not the defaults.
        run_dir: the run folder, made if it does not exist; None takes runs/<model>.<data>/<time>.
        callbacks: further Lightning callbacks, beside those every training has.
        loggers: Lightning loggers, beside the run folder's own metrics.csv.

    Returns:
        The metrics, the history, the predictor and the path of the run folder.

    Raises:
        UserError: for a mistake in the config, before the first epoch.
        DivergedError: when the loss became NaN or infinite.
        InterruptedTraining: when a signal asked to stop; `resume="auto"` goes on.
    """
    config = _checked(config, [config.get("seed", 0)])
    run = _run_folder(config, run_dir)
    with run.claim(config) as checkpoint, _threads_kept():
        if run.metrics.exists():
            rank_zero_print(f"{run.folder} is finished already")
            return Result.of_run(run) if is_rank_zero() else Result(run.folder, {})
        fitted = _fit(run, config, [config["seed"]], checkpoint, callbacks, loggers)
        return Result(run.folder, {} if fitted is None else _release(run, fitted, 0))


def train_seeds(
    config: Config,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> list[Result]:
    """Train a model for each of the config's `seeds`, all at once as one batched model, which takes small models hardly
    longer than one alone.

    Each has the initial weights and the order of batches of a training of its own; what augmentation and dropout draw
    is different. Each leaves its files in `run_dir`/seed=<seed>.

    Args:
        config, run_dir, callbacks, loggers: as in `train`.

    Returns:
        What `train` returns, for each seed.

    Raises:
        UserError: beside those of `train`, for recurrent networks, Muon, and several processes.
    """
    seeds = config["seeds"]
    if not isinstance(seeds, list | tuple) or len(set(seeds)) < max(len(seeds), 2):
        raise UserError(f"seeds are two numbers at least, all different; got {seeds}")
    config, whole = _checked(config, seeds), _run_folder(config, run_dir)
    runs = [Run(whole.folder / f"seed={seed}") for seed in seeds]
    with whole.claim(config) as checkpoint, _threads_kept():
        if all(run.metrics.exists() for run in runs):
            echo(f"{whole.folder} is finished already")
            return [Result.of_run(run) for run in runs]
        fitted = _fit(whole, config, seeds, checkpoint, callbacks, loggers)
        assert fitted is not None  # there is one process
        for run, seed in zip(runs, seeds, strict=True):
            run.write_config({**config, "seed": seed, "seeds": None})
            write_text(run.history, whole.history.read_text())  # of all models, their mean
            write_hashes(run.samples, fitted.keys)
        return [Result(run.folder, _release(run, fitted, index)) for index, run in enumerate(runs)]


def _run_folder(config: Config, run_dir: str | Path | None) -> Run:
    """Return the run folder: a new one, named by model, data and time, where none is given."""
    if run_dir is None:
        now = datetime.datetime.now()
        run_dir = Path("runs", f"{config['model']['name']}.{config['data']['name']}", f"{now:%Y-%m-%d_%H-%M-%S_%f}")
    return Run(Path(run_dir).expanduser())


def _checked(config: Config, seeds: Sequence[Any]) -> Config:
    """A config with every section, its keys and trainer section known to be right, as are the seeds."""
    for key in config:
        if key not in (*REQUIRED, *DEFAULTS):
            raise unknown_name("setting", key, [*REQUIRED, *DEFAULTS])
    for key in REQUIRED:
        if key not in config:
            raise UserError(f"a training needs the sections {', '.join(REQUIRED)}; {key} is missing\n{WHOLE}")
    for seed in seeds:
        if not (isinstance(seed, int) and 0 <= seed < 2**32):
            raise UserError(f"a seed is a whole number from 0 to {2**32 - 1}; got {seed}")
    check_trainer(config["trainer"])
    if (own := config.get("zoo_path")) and not is_added(own):
        raise UserError(
            f"zoo_path={own} is a folder of code, which a config of somebody else's may name too; if you trust it, add "
            f"it before the training: zoo.add_path({own!r})"
        )
    return {**DEFAULTS, **config, "distill": {**DEFAULTS["distill"], **config.get("distill", {})}}


@contextlib.contextmanager
def _threads_kept() -> Iterator[None]:
    """Leave the number of torch's threads as it was."""
    n = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n)


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: a module with the models of all `seeds`, the keys of its samples and what the card tells of
    them, the seconds of fitting, and the start of a training that was never interrupted."""

    config: Config
    seeds: Sequence[int]
    splits: Splits
    keys: SplitHashes
    told: Mapping[str, Any]
    module: ZooModule
    trainer: L.Trainer
    epochs: Sequence[int]
    start: float
    seconds: float


def _fit(
    run: Run,
    config: Config,
    seeds: Sequence[int],
    checkpoint: Path | None,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
) -> Fitted | None:
    """Train for all seeds, and take each model's best or last weights; None in processes other than the first."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(sys.stdout if is_rank_zero() else None):  # what a reader says, it says once
        splits = load_section(config["data"])
    for name, text in splits.files.items() if is_rank_zero() else ():
        write_text(run.folder / name, text)
    splits, noted = _data_of(run, config, splits, checkpoint)
    config = fill_auto(config, len(splits.train))  # type: ignore[arg-type]
    module, trainer = _trained(run, config, seeds, splits, checkpoint, [noted, *callbacks], loggers)
    history = next(callback for callback in trainer.callbacks if isinstance(callback, History))  # type: ignore[attr-defined]
    seconds = history.seconds
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # what follows is the first process's alone
    if not trainer.is_global_zero:
        return None
    if module.sharded:
        module = create_module(**module.hparams)  # whole, to take a checkpoint's weights
    epochs = _choose(run, config["trainer"]["keep"], module, trainer)
    told = fingerprints(
        split_hashes(splits) if any(len(noted.keys[earlier_hashes_key(name)]) for name in HELD_OUT) else noted.keys
    )
    return Fitted(config, seeds, splits, noted.keys, told, module, trainer, epochs, start - history.resumed, seconds)


def _data_of(run: Run, config: Config, splits: Splits, checkpoint: Path | None) -> tuple[Splits, DataGuard]:
    """The splits, and what notes in the run folder which samples they have. Where `checkpoint` was trained on other
    data, what it saw of them is taken out of what is measured.

    Raises:
        UserError: for other data, unless the config allows them.
    """
    keys, seen = split_hashes(splits), dict.fromkeys(HELD_OUT, np.empty(0, np.uint64))
    if checkpoint is not None:
        saved = SafeCheckpointIO().load_checkpoint(checkpoint)
        told, before = saved.get("data", {}), read_hashes(checkpoint.parent / run.samples.name)
        changes, known = describe_changes(told, fingerprints(keys)), not describe_changes(told, fingerprints(before))
        if changes:
            _allow(config, checkpoint, changes)
            check_compatible(DataSpec.from_json(saved["hyper_parameters"]["spec"]), splits.spec)
        if not (changes and known):  # what is noted of splits is of this data already
            before = {name: some for name, some in before.items() if name not in SPLIT_ORDER}
        if changes or known:
            seen = {name: seen_hashes(before, name) for name in HELD_OUT}
    noted = {**keys, **{earlier_hashes_key(name): some for name, some in seen.items()}}
    return remove_seen(splits, seen), DataGuard(run, noted)


def _allow(config: Config, checkpoint: Path, changes: str) -> None:
    """Say that a training goes on with other data, or raise UserError where the config does not allow it."""
    line = f"{data_name(config['data'])} is not what {checkpoint} was trained on: {changes}"
    if config["resume"] != "changed":
        raise UserError(
            f"{line}\ngive it back as it was, or give another run_dir; resume=changed goes on all the same, and "
            "measures on what was not seen"
        )
    rank_zero_print(f"going on all the same: {line}; which epoch is best is told anew")


def _trained(
    run: Run,
    config: Config,
    seeds: Sequence[int],
    splits: Splits,
    checkpoint: Path | None,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    diverged: int = 0,
) -> tuple[ZooModule, L.Trainer]:
    """A module at the end of its training, which goes on from a checkpoint, if there is one. Where it diverges it goes
    back to the best epoch and lowers the rate, if the config says so."""
    module, data = _module(config, splits, seeds), ZooDataModule(splits, seeds=seeds, **loader_options(config["data"]))
    work = batch_work(module, data)
    on_machine = {**config, "trainer": fit_machine(config["trainer"], work)}
    torch.set_num_threads(on_machine["trainer"]["threads"])
    trainer = create_trainer(run.folder, on_machine, module, callbacks, loggers, diverged)
    rank_zero_print(f"training {config['model']['name']} on {splits.spec.name}, {describe_device(trainer)}, "
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}")  # fmt: skip
    try:
        with speed_up(config["trainer"].get("tricks", "all"), Fit(trainer, module, data, callbacks, work)):
            trainer.fit(module, data, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)
    except DivergedError as error:
        if config["trainer"]["rollback"] is None or error.times == ROLLBACKS:
            raise
        best = run.checkpoints / "best.ckpt"
        rank_zero_print(f"{str(error).splitlines()[0]}; back to it, with a lower rate for the {error.times + 1}. time")
        checkpoint = best if is_sound(best) else None
        return _trained(run, config, seeds, splits, checkpoint, callbacks, loggers, error.times + 1)
    except (ValueError, RuntimeError) as error:
        if trainer.world_size > 1 and (lost := lost_process(error)):
            raise lost from error
        if checkpoint and re.search("loading state_dict|loaded state dict", str(error)):
            fix = f"{checkpoint} is of another model or optimiser; take back their settings, or give another run_dir"
        elif "Early stopping conditioned" in str(error):
            fix = str(error)
        elif "`val_check_interval`" in str(error):
            fix = (
                "trainer.val_check_interval is at most the batches of an epoch: "
                + str(error).partition(". ")[0].strip()
            )
        elif "more than 1 value per channel" in str(error):
            fix = "BatchNorm cannot train on one sample; raise data.batch_size, or take another norm"
        elif (config["data"].get("augment") or {}).get("resize") and re.search("shapes|size", str(error)):
            fix = "the network does not take images of another size; take data.augment.resize away, or start larger"
        else:
            raise
        raise UserError(fix) from error
    return module, trainer


def _module(config: Config, splits: Splits, seeds: Sequence[int]) -> ZooModule:
    """The module of an untrained or finetuned model, or of one for each seed, which decides on its first weights."""
    modules, models = [], []
    start = None if config["finetune"] is None else _load(config["finetune"], splits, config["data"])
    for seed in seeds:
        L.seed_everything(seed, verbose=False)
        kwargs = {key: dict(config[key]) for key in ("model", "task", "optim")}
        modules.append(create_module(spec=splits.spec.to_json(), **kwargs))
        models.append(cast(Model, modules[-1].model))
        models[-1].fit(each_value_once(splits.train), batches(splits.train))
        if start is not None:
            left = copy_weights(models[-1], splits.spec, start, config["finetune"])
            rank_zero_print(f"weights from {config['finetune']}" + (f", but new: {', '.join(left)}" if left else ""))
    module = modules[0] if len(modules) == 1 else stack(modules)
    module.distillation = _distillation(module.task, splits, config["data"], **config["distill"])
    return module


def _load(weights: str, splits: Splits, data: Mapping[str, Any]) -> Predictor:
    """A trained model to start or to learn from; where it may know what this training is measured on, that is told."""
    trained = load(weights)
    warn_about_leakage(trained, weights, splits, data)
    return trained


def _distillation(
    task: Task, splits: Splits, data: Mapping[str, Any], teacher: str | None, **options: float
) -> Distillation | None:
    """What a training learns from a pretrained file, if it is to."""
    if teacher is None:
        return None
    trained = _load(teacher, splits, data)
    check_compatible(trained.spec, splits.spec)
    return Distillation(task, trained.model, **options)


def _choose(run: Run, keep: str, module: ZooModule, trainer: L.Trainer) -> Sequence[int]:
    """Give the module the weights to release, and tell the epoch that they are of, for each model."""
    best = next((callback for callback in trainer.callbacks if isinstance(callback, BestOfEach)), None)  # type: ignore[attr-defined]
    chosen = SafeCheckpointIO().load_checkpoint(run.chosen("last" if best else keep), map_location="cpu")
    state = module.state_dict()  # with the versions of layers, which that of an average of weights lacks
    state.update(chosen["state_dict"])
    module.load_state_dict(state)
    if best is None or not best.epochs:
        return [chosen["epoch"] + 1] * module.n_models
    module.model.load_state_dict(best.values)
    return best.epochs


def _release(run: Run, fitted: Fitted, index: int) -> dict[str, Any]:
    """The release file of one model, and from that, as a user loads it, its metrics and report."""
    seed, splits, trainer = fitted.seeds[index], fitted.splits, fitted.trainer
    config = {key: value for key, value in fitted.config.items() if key != "seeds"} | {"seed": seed}
    named = map_paths(config, lambda path: path if path in list_pretrained() else base_name(path))
    model = fitted.module.model_of(index)
    card = {
        "model": dict(config["model"]),
        "spec": splits.spec.to_json(),
        "config": {key: value for key, value in named.items() if key not in ("run_dir", "resume")},
        "fingerprints": fitted.told,
        "seed": seed,
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "precision": trainer.precision,
        "device": describe_device(trainer),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
    }
    save_weights(run.weights, model, card)
    predictor = load(run.weights).to(trainer.strategy.root_device)
    val, _, _ = evaluate(predictor, splits.val, n_returned=0)
    test, outputs, targets = evaluate(predictor, splits.test, n_returned=predictor.task.n_reported)
    card |= {"metrics": {"val": val, "test": test}}
    save_weights(run.weights, model, card)
    metrics = {
        "val": val,
        "test": test,
        "epoch": fitted.epochs[index],
        "seconds": {"fit": round(fitted.seconds, 3), "total": round(time.perf_counter() - fitted.start, 3)},
        **_peak_memory(trainer.strategy.root_device),
        **{key: card[key] for key in ("n_parameters", "seed", "device", "precision", "hardware", "versions")},
    }
    write_report(run, named, splits, metrics, predictor, (outputs, targets))
    write_text(run.metrics, json.dumps(metrics, indent=1))  # last: it says that the run is finished
    return metrics


def _peak_memory(device: torch.device) -> dict[str, float]:
    """What the tensors of this process took at most on a GPU, in GiB."""
    if device.type != "cuda":
        return {}
    return {"peak_gpu_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 3)}
