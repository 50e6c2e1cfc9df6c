"""One training, from a plain config to a run folder with a release file, its metrics and a report."""

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.auto import batch_work, fill_auto, fit_machine, group_steps
from zoo.checkpoint import SafeCheckpointIO, is_sound, newest
from zoo.data.module import ZooDataModule, load_section, loader_options
from zoo.data.splits import Splits, each_value_once
from zoo.errors import UserError, unknown
from zoo.evaluation import evaluate
from zoo.extension import add_path
from zoo.files import write_text
from zoo.modules import ZooModule, create_module
from zoo.pretrained import finetune as load_into
from zoo.pretrained import load, save_file
from zoo.report import write_report
from zoo.trainer import Config, check_trainer, create_trainer, describe_device, quick_cuda_check

VERSIONS = ("torch", "lightning", "torchmetrics", "hydra-core", "numpy")
REQUIRED = ("model", "data", "optim", "trainer")
DEFAULTS: Config = {"task": {}, "seed": 0, "run_dir": None, "resume": None, "finetune": None, "zoo_path": None}


@dataclass(frozen=True)
class Run:
    """The files of one run folder."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def history(self) -> Path:
        return self.folder / "metrics.csv"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


def train(
    config: Config, run_dir: str | Path, callbacks: Sequence[Callback] = (), loggers: Sequence[Logger] = ()
) -> dict[str, Any]:
    """Train a model as `config` says and leave everything in `run_dir`.

    Args:
        config: plain values with the sections of conf/train.yaml: model, data, optim and trainer; and task, seed,
            resume and finetune where they are not the defaults.
        run_dir: the run folder; made if it is not there.
        callbacks: further Lightning callbacks, beside those every training has.
        loggers: Lightning loggers, beside the run folder's own metrics.csv.

    Returns:
        What `run_dir`/metrics.json holds; empty in processes other than the first.

    Raises:
        UserError: for a mistake in the config, before the first epoch.
        DivergedError: when the loss became NaN or infinite.
        InterruptedTraining: when a signal asked to stop; `resume="auto"` goes on.
    """
    start = time.perf_counter()
    for key in config:
        if key not in (*REQUIRED, *DEFAULTS):
            raise unknown("setting", key, [*REQUIRED, *DEFAULTS])
    for key in REQUIRED:
        if key not in config:
            raise UserError(f"a training needs the sections {', '.join(REQUIRED)}, as in conf/; {key} is missing")
    config = {**DEFAULTS, **config}
    if not 0 <= config["seed"] < 2**32:
        raise UserError(f"seed is a whole number from 0 to {2**32 - 1}; got {config['seed']}")
    if config["zoo_path"]:
        add_path(config["zoo_path"])
    run = Run(Path(run_dir))
    if config["resume"] == "auto" and run.metrics.exists():
        print(f"{run.folder} is finished already")
        return json.loads(run.metrics.read_text())
    n_threads = torch.get_num_threads()
    try:
        return _train(run, config, callbacks, loggers, start)
    finally:
        torch.set_num_threads(n_threads)


def _train(
    run: Run, config: Config, callbacks: Sequence[Callback], loggers: Sequence[Logger], start: float
) -> dict[str, Any]:
    check_trainer(config["trainer"])  # a mistake in them shows before the data is read
    checkpoint = _claim(run, config)
    L.seed_everything(config["seed"], verbose=False)
    with contextlib.redirect_stdout(sys.stdout if _is_first() else None):  # what a reader says, it says once
        splits = load_section(config["data"])
    for name, text in splits.files.items():
        write_text(run.folder / name, text)
    config = fill_auto(config, len(splits.train))  # type: ignore[arg-type]
    module = _module(config, splits)
    data = ZooDataModule(splits, seed=config["seed"], **loader_options(config["data"]))
    work = batch_work(module, data)
    on_machine = {**config, "trainer": fit_machine(config["trainer"], work)}
    torch.set_num_threads(on_machine["trainer"]["threads"])
    trainer = create_trainer(run.folder, on_machine, module, callbacks, loggers)
    group_steps(trainer, module, data, callbacks, work)
    _say(f"training {config['model']['name']} on {splits.spec.name}, {describe_device(trainer)}, seed {config['seed']}")
    fit_start = time.perf_counter()
    with quick_cuda_check():
        trainer.fit(module, data, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # what follows is the first process's alone
    if not trainer.is_global_zero:
        return {}
    seconds = {"fit": time.perf_counter() - fit_start}
    return _release(run, config, splits, module, trainer, seconds, start)


def _is_first() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _say(line: str) -> None:
    if _is_first():
        print(line, flush=True)


def _claim(run: Run, config: Config) -> Path | None:
    """Make the run folder ours, and find the checkpoint to go on from."""
    if not _is_first():
        return _checkpoint(run, config["resume"])
    try:
        run.checkpoints.mkdir(parents=True, exist_ok=True)
        probe = run.folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write run_dir={run.folder}: {error.strerror}; give another run_dir") from error
    begun = run.metrics.exists() or any(run.checkpoints.glob("*.ckpt"))
    if run.metrics.exists() or (begun and config["resume"] is None):
        raise UserError(f"run_dir={run.folder} holds a run already; add resume=auto to go on, or give another run_dir")
    checkpoint = _checkpoint(run, config["resume"])
    write_text(run.config, yaml.safe_dump(dict(config), sort_keys=False))
    return checkpoint


def _checkpoint(run: Run, resume: str | None) -> Path | None:
    if resume is None:
        return None
    if resume == "auto":
        return newest(run.checkpoints)
    if not Path(str(resume)).is_file():
        raise UserError(f"resume={resume}: there is no such checkpoint; resume=auto takes the newest of the run folder")
    return Path(resume)


def _module(config: Config, splits: Splits) -> ZooModule:
    module = create_module(
        dict(config["model"]), spec=splits.spec.to_json(), task=dict(config["task"]), optim=dict(config["optim"])
    )
    module.model.preprocess.fit(each_value_once(splits.train))
    if config["finetune"] is not None:
        left = load_into(module.model, config["finetune"])
        _say(f"weights from {config['finetune']}" + (f", but new: {', '.join(left)}" if left else ""))
    return module


def _release(
    run: Run,
    config: Config,
    splits: Splits,
    module: ZooModule,
    trainer: L.Trainer,
    seconds: dict[str, float],
    start: float,
) -> dict[str, Any]:
    """From the chosen checkpoint to the release file, and from that, as a user loads it, to metrics and report."""
    chosen = SafeCheckpointIO().load_checkpoint(_chosen(run, config["trainer"]["keep"]), map_location="cpu")
    module.load_state_dict(chosen["state_dict"])
    card = {
        "model": dict(config["model"]),
        "spec": splits.spec.to_json(),
        "config": {key: value for key, value in config.items() if key not in ("run_dir", "resume")},
        "seed": config["seed"],
        "n_parameters": sum(parameter.numel() for parameter in module.model.parameters()),
        "precision": trainer.precision,
        "device": describe_device(trainer),
        "hardware": _hardware(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
    }
    save_file(run.weights, module.model, card)
    predictor = load(run.weights).to(trainer.strategy.root_device)
    val, _, _ = evaluate(predictor, splits.val, kept=0)
    test, outputs, targets = evaluate(predictor, splits.test, kept=predictor.task.kept)
    card |= {"metrics": {"val": val, "test": test}}
    save_file(run.weights, module.model, card)
    seconds["total"] = time.perf_counter() - start
    metrics = {
        "val": val,
        "test": test,
        "epoch": chosen["epoch"] + 1,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        **_peak_memory(trainer.strategy.root_device),
        **{key: card[key] for key in ("n_parameters", "seed", "device", "precision", "hardware", "versions")},
    }
    write_report(run, config, splits, metrics, predictor, outputs, targets)
    write_text(run.metrics, json.dumps(metrics, indent=1))  # last: it says that the run is finished
    return metrics


def _peak_memory(device: torch.device) -> dict[str, float]:
    """What the tensors of this process took at most on a GPU, in GiB."""
    if device.type != "cuda":
        return {}
    return {"peak_gpu_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 3)}


def _hardware() -> str:
    """The processor's name and cores, and the architecture."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} ({platform.machine()}), {os.cpu_count()} cores"


def _chosen(run: Run, keep: str) -> Path:
    """The checkpoint that becomes the release file."""
    wanted = run.checkpoints / f"{keep}.ckpt"
    chosen = wanted if is_sound(wanted) else newest(run.checkpoints)
    if chosen is None:
        raise UserError(f"no epoch was trained in {run.folder}; raise trainer.max_epochs")
    return chosen
