"""One training, from a plain config to a run folder with a weights file, its metrics and a report."""

import contextlib
import copy
import json
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from zoo.baselines.measuring import Measure, Measured, compare, measure_baselines
from zoo.core.atomic_files import write_text
from zoo.core.config_paths import base_name, map_paths
from zoo.core.errors import UserError
from zoo.core.new_folders import RUNS, make_run_folder, missing_folders
from zoo.core.rank_zero import is_rank_zero, rank_zero_print
from zoo.core.run_folder import Run
from zoo.core.system import hardware
from zoo.data.fingerprints import write_hashes
from zoo.data.splits import Batches, Split, Splits
from zoo.engine.fitting import Fitted, Training, fit
from zoo.engine.load_splits import TrainingSplits, load_splits
from zoo.engine.resources import fill_auto, suit_model
from zoo.engine.task_settings import drop_foreign_settings
from zoo.engine.trainer import check_trainer, describe_device
from zoo.folds import TrainFold, train_folds
from zoo.inference.evaluation import evaluate
from zoo.inference.held_out import LEARNED_VALIDATION
from zoo.inference.predictor import Predictor
from zoo.inference.pretrained import list_pretrained, load
from zoo.inference.weights_file import save_weights
from zoo.models.ensemble import sizes
from zoo.models.model import Model
from zoo.report.page import write_report
from zoo.report.result import Result
from zoo.report.verdict import verdict
from zoo.settings.resumption import resumed_config
from zoo.settings.training_config import TrainingConfig, fill_from
from zoo.tasks import create_task, trained_task
from zoo.tasks.scores import BlockScores

Config = Mapping[str, Any]
FACTS = "n_parameters", "n_candidates", "corrected", "seed", "device", "precision", "hardware", "versions"  # as metrics
VERSIONS = ("torch", "lightning", "torchmetrics", "hydra-core", "numpy", "scikit-learn")


def train(
    config: Config | None = None,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    start: float | None = None,
) -> Result:
    """Train a model as `config` says and leave everything in `run_dir`.

    Args:
        config: what `zoo.config` gives: plain values with the sections model, data, optim and trainer; and task, seed,
            folds, resume, finetune and distill where they are not the defaults; None resumes the run in `run_dir`.
        run_dir: the run folder, made if it does not exist; None makes runs/<data>, or runs/<data>-2 and so on.
        callbacks: further Lightning callbacks, beside those every training has.
        loggers: Lightning loggers, beside the run folder's own metrics.csv.
        start: when the total of seconds begins, by `time.perf_counter`, such as where a command began; None: now.

    Returns:
        The metrics, the history, the predictor and the path of the run folder.

    Raises:
        UserError: for a mistake in the config, before the first epoch.
        DivergedError: when the loss became NaN or infinite.
        InterruptedTraining: on a signal; `resume="auto"` continues.
    """
    start = time.perf_counter() if start is None else start
    checked = replace(_check(config, run_dir), seeds=None)
    if checked.folds is not None:
        return train_folds(checked, new_run(checked, run_dir), _train_fold(callbacks, loggers), start)
    return _train_one(_training(checked, new_run(checked, run_dir), callbacks, loggers), start)


def _train_fold(callbacks: Sequence[Callback], loggers: Sequence[Logger]) -> TrainFold:
    """Train a fold's model, with callbacks and loggers of its own."""

    def train_fold(config: TrainingConfig, run: Run, splits: Splits) -> Result:
        training = _training(config, run, *copy.deepcopy((callbacks, loggers)))
        return _train_one(replace(training, splits=splits), time.perf_counter())

    return train_fold


def _train_one(training: Training, start: float) -> Result:
    """Train one model, or return what its run folder has of it already; see `train`."""
    run = training.run
    with run.claim(training.config.plain()) as checkpoint, _restored_threads():
        if run.metrics.exists():
            rank_zero_print(_finished(run, run.folder))
            return Result.of_run(run) if is_rank_zero() else Result(run.folder, {})
        trained = _train(training, checkpoint, start)
        return Result(run.folder, {} if trained is None else _release(trained, run, 0))


def train_seeds(
    config: Config | None = None,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    start: float | None = None,
) -> list[Result]:
    """Train a model for each of the config's `seeds`, all at once as one batched model, which takes small models hardly
    longer than one alone.

    Each has the initial weights and the order of batches of a training of its own; what augmentation and dropout draw
    is different. Each leaves its files in `run_dir`/seed=<seed>.

    Args:
        config, run_dir, callbacks, loggers, start: as in `train`.

    Returns:
        What `train` returns, for each seed.

    Raises:
        UserError: beside those of `train`, for recurrent and retrieval networks, Muon, and several processes.
    """
    start = time.perf_counter() if start is None else start
    checked = _check(config, run_dir)
    if checked.seeds is None:
        raise UserError("train_seeds takes several seeds: seeds=[0,1,2]; train takes one")
    training = _training(checked, new_run(checked, run_dir), callbacks, loggers)
    whole, runs = training.run, [Run(training.run.folder / f"seed={seed}") for seed in checked.seeds]
    with whole.claim(training.config.plain()) as checkpoint, _restored_threads():
        if all(run.metrics.exists() for run in runs):
            rank_zero_print(_finished(runs[0], whole.folder))
            return [Result.of_run(run) for run in runs]
        trained = _train(training, checkpoint, start)
        assert trained is not None  # there is one process
        for run, seed in zip(runs, checked.seeds, strict=True):
            run.write_config({**whole.read_config(), "seed": seed, "seeds": None})
            write_text(run.history, whole.history.read_text())  # the mean over all models
            write_hashes(run.samples, trained.data.hashes)
        return [Result(run.folder, _release(trained, run, index)) for index, run in enumerate(runs)]


def _check(config: Config | None, run_dir: str | Path | None) -> TrainingConfig:
    if config is None and run_dir is not None:
        config = resumed_config(run_dir)
    checked = TrainingConfig.of(config)  # type: ignore[arg-type]
    check_trainer(checked.trainer)
    return checked


def _training(config: TrainingConfig, run: Run, callbacks: Sequence[Callback], loggers: Sequence[Logger]) -> Training:
    """Put a training together; one that resumes keeps what "auto" stood for at its start."""
    if config.resume is not None and run.config.exists():
        filled = fill_from(config.plain(), run.read_config())
        config = TrainingConfig.of({**filled, "resume": config.resume})
    return Training(config, run, callbacks, loggers)


def _finished(run: Run, folder: Path) -> str:
    """Say that the training in a folder is finished, and how it could have lasted longer."""
    stopped = run.read_metrics().get("stopped")
    more = f", as its budget was used up; for more, start from it: budget=10min finetune={folder} and another run_dir"
    return f"{folder} is finished already" + more * (stopped == "budget")


def new_run(config: TrainingConfig, run_dir: str | Path | None = None) -> Run:
    """Return the run folder: a new one, named by its data, where none is given."""
    if run_dir is not None:
        return Run(Path(run_dir).expanduser())
    parents = missing_folders(RUNS)
    folder = make_run_folder(config.data)
    return Run(folder, made=(folder, *parents))


@contextlib.contextmanager
def _restored_threads() -> Iterator[None]:
    """Restore the number of torch's threads at the end."""
    n = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n)


@dataclass(frozen=True)
class Trained:
    """A training before its release.

    Attributes:
        config: with every number that depends on the data.
        data: that it learned from and is measured on.
        fitted: the models.
        baselines: on the same data, by name.
        start: of the whole training, by `time.perf_counter`; earlier by what was trained before a resume.
    """

    config: TrainingConfig
    data: TrainingSplits
    fitted: Fitted
    baselines: Mapping[str, Measured]
    start: float


def _train(training: Training, checkpoint: Path | None, start: float) -> Trained | None:
    """Load the data and fit the models; None in processes other than the first."""
    data = load_splits(training.run, training.config, checkpoint, training.splits)
    config = drop_foreign_settings(training.config, data.splits.spec)
    config = suit_model(config, data.splits.train, data.splits.spec)
    config = fill_auto(config, len(data.splits.train), data.splits.spec)  # type: ignore[arg-type]
    fitted = fit(replace(training, config=config), data, checkpoint)
    if fitted is None:
        return None
    return Trained(config, data, fitted, _baselines(config, data.splits, fitted), start - fitted.seconds_before)


def _baselines(config: TrainingConfig, splits: Splits, fitted: Fitted) -> Mapping[str, Measured]:
    """Fit and measure the baselines of the data, unless the config leaves them out."""
    if not config.baseline:
        return {}
    task = trained_task(splits.spec, {"config": {"task": config.task}})
    scale = copy.deepcopy(fitted.module.model_of(0).preprocess).cpu().scale_target
    return measure_baselines(splits, create_task(splits.spec, **config.task), Measure(splits, task, scale))


def _release(trained: Trained, run: Run, index: int) -> dict[str, Any]:
    """Write the weights file of one model, and from that, as a user loads it, its metrics and report."""
    fitted, splits = trained.fitted, trained.data.splits
    chosen = fill_from(trained.config.plain(), run.read_config())  # by the machine
    config = TrainingConfig.of({**chosen, "seed": trained.config.all_seeds[index], "seeds": None})
    model, began = fitted.module.model_of(index), time.perf_counter()
    corrected = model.correct(Batches(splits.val))
    seconds = fitted.seconds + time.perf_counter() - began
    card = {**_card(trained, config, model), **({"corrected": round(corrected, 4)} if corrected else {})}
    save_weights(run.weights, model, card)
    predictor = load(run.weights).to(fitted.trainer.strategy.root_device)
    calibration = predictor.calibrate(splits.val).calibration
    refit = model.network.learns_validation and "val_fold" not in config.data  # a fold's answers calibrate all folds
    measured = _validate(predictor, splits.val, trained.baselines)
    if refit:
        seconds += _fit_to_validation(predictor, splits)
    test, *tested = evaluate(predictor, splits.test, n_returned=predictor.task.n_reported)
    card |= {"metrics": {"val": measured["val"], "test": test}, "calibration": calibration}
    card |= {**sizes(predictor.model), **({LEARNED_VALIDATION: True} if refit else {})}
    save_weights(run.weights, predictor.model, card)
    metrics = {
        **measured,
        "test": test,
        "epoch": fitted.epochs[index],
        "stopped": fitted.stopped,
        "seconds": {"fit": round(seconds, 3), "total": _seconds_since(trained.start)},
        **_peak_memory(fitted.trainer.strategy.root_device),
        **{key: card[key] for key in FACTS if key in card},
    }
    metrics["verdict"] = verdict(metrics, run.read_history(), config.plain(), predictor.task.score_mode)
    write_report(run, _without_folders(config), splits, metrics, predictor, (tested[0], tested[1]))
    metrics["seconds"]["total"] = _seconds_since(trained.start)  # with the report
    write_text(run.metrics, json.dumps(metrics, indent=1))  # last, as it marks the run as finished
    return metrics


def _validate(predictor: Predictor, val: Split, baselines: Mapping[str, Measured]) -> dict[str, Any]:
    """Measure a model on the validation split, beside the baselines."""
    task, n_val = predictor.task, len(val)  # type: ignore[arg-type]
    blocks = BlockScores(task, predictor.model.preprocess.scale_target, n_val, predictor.device) if baselines else None
    measured, _, _ = evaluate(predictor, val, n_returned=0, blocks=blocks)
    compared = compare(baselines, task, measured, blocks.values) if blocks else {}
    return {"val": measured, "score": task.score, "baselines": compared}


def _fit_to_validation(predictor: Predictor, splits: Splits) -> float:
    """Fit what some networks fit in closed form to the validation split too, as nothing more is chosen by it, and
    return the seconds that it took."""
    model, began = predictor.model, time.perf_counter()
    assert isinstance(model, Model)
    model.cpu().refit(Batches(splits.train, splits.val))
    model.to(predictor.device)
    return time.perf_counter() - began


def _seconds_since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def _card(trained: Trained, config: TrainingConfig, model: Model) -> dict[str, Any]:
    """Return what the weights file says of itself, but for its metrics."""
    return {
        "model": dict(config.model),
        "spec": trained.data.splits.spec.to_json(),
        "config": {key: value for key, value in _without_folders(config).items() if key not in ("run_dir", "resume")},
        "fingerprints": trained.data.fingerprints(),
        "seed": config.seed,
        **sizes(model),
        "precision": trained.fitted.trainer.precision,
        "device": describe_device(trained.fitted.trainer),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
    }


def _without_folders(config: TrainingConfig) -> dict[str, Any]:
    """Return the config of one seed, with the last part of each path, as others may read it."""
    plain = {key: value for key, value in config.plain().items() if key != "seeds"}
    return map_paths(plain, lambda path: path if path in list_pretrained() else base_name(path))


def _peak_memory(device: torch.device) -> dict[str, float]:
    """Return the most that the tensors of this process took on a GPU, in GiB."""
    if device.type != "cuda":
        return {}
    return {"peak_gpu_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 3)}
