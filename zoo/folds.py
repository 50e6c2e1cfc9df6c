"""Train a model on each of several folds, and combine them into one file: bagging, with a score out of fold."""

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.core.atomic_files import write_text
from zoo.core.errors import UserError
from zoo.core.rank_zero import rank_zero_print
from zoo.core.run_folder import Run
from zoo.data.fingerprints import describe_changes, fingerprints, read_hashes, write_hashes
from zoo.data.folds import fold_splits, split_seed
from zoo.data.splits import Batches, Split, Splits
from zoo.engine.load_splits import TrainingSplits, load_splits
from zoo.engine.resources import fill_auto
from zoo.inference.calibration import calibrate_out_of_fold
from zoo.inference.device import choose_device
from zoo.inference.ensembling import combine
from zoo.inference.evaluation import evaluate
from zoo.inference.held_out import LEARNED_VALIDATION
from zoo.inference.pretrained import load
from zoo.inference.training_data import data_name
from zoo.inference.weights_file import load_weights, save_weights
from zoo.models.ensemble import Ensemble, sizes
from zoo.report.page import write_report
from zoo.report.result import Result
from zoo.report.verdict import verdict
from zoo.settings.training_config import N_SEEDS, TrainingConfig
from zoo.tasks.base import Task

Values = Mapping[str, Any]
TrainFold = Callable[[TrainingConfig, Run, Splits], Result]
COPIED = ("device", "precision", "hardware", "versions")  # from a fold's metrics.json
LEAST_BUDGET = 1.0  # seconds


def train_folds(config: TrainingConfig, run: Run, train_fold: TrainFold, start: float) -> Result:
    """Train a model for each of the config's `folds`, one after the other, each in `run`/fold=<number>; and leave in
    `run` one file that answers with their mean, with its metrics and a report.

    What a kill left is continued: finished folds stay as they are.

    Args:
        config: checked.
        run: the run folder.
        train_fold: trains the model of one fold, or returns what is there of it already.
        start: when the total of seconds begins, by `time.perf_counter`.
    """
    assert config.folds is not None
    with run.claim(config.plain()):
        if run.metrics.exists():
            rank_zero_print(f"{run.folder} is finished already")
            return Result.of_run(run)
        data = load_splits(run, config, None)
        _keep_hashes(run, config, data)
        results: list[Result] = []
        held_out: list[Split] = []
        for fold in range(config.folds):
            splits = fold_splits(data.splits, fold, config.folds, split_seed(config.data))
            part = _config_of_fold(config, fold, splits, results)
            sizes = f"{len(splits.train):,} to train, {len(splits.val):,} to validate"  # type: ignore[arg-type]
            rank_zero_print(f"fold {fold + 1} of {config.folds}: {sizes}")
            results.append(train_fold(part, Run(run.folder / f"fold={fold}"), splits))
            held_out.append(splits.val)
        return Result(run.folder, _release(config, run, data, results, held_out, start))


def _keep_hashes(run: Run, config: TrainingConfig, data: TrainingSplits) -> None:
    """Write the hashes of all samples; UserError where the folds that are there had others."""
    changes = describe_changes(fingerprints(read_hashes(run.samples)), data.fingerprints())
    if changes and run.all_checkpoints():
        raise UserError(
            f"{data_name(config.data)} is not what {run.folder} was trained on: {changes}\n"
            "restore the data, or give another run_dir"
        )
    write_hashes(run.samples, data.hashes)


def _config_of_fold(config: TrainingConfig, fold: int, splits: Splits, before: Sequence[Result]) -> TrainingConfig:
    """The config of one fold's training. Of the budget it gets an equal share of what the folds before it left."""
    assert config.folds is not None
    budget = fill_auto(config, len(splits.train), splits.spec).budget_seconds  # type: ignore[arg-type]
    if budget is not None:
        left = budget - sum(result["seconds"]["fit"] for result in before)
        budget = max(left / (config.folds - fold), LEAST_BUDGET)
    return replace(
        config,
        data={**config.data, "val_fold": [fold, config.folds]},
        seed=(config.seed + fold) % N_SEEDS,
        folds=None,
        budget=None if budget is None else f"{budget:.3f}s",
        resume="auto",
    )


def _release(
    config: TrainingConfig,
    run: Run,
    data: TrainingSplits,
    results: Sequence[Result],
    held_out: Sequence[Split],
    start: float,
) -> dict[str, Any]:
    """Write the weights file of all models together, and from that, as a user loads it, its metrics and report;
    `held_out` are the folds that validated the models."""
    model, card = combine([load_weights(Run(result.path).weights) for result in results])
    section = {key: value for key, value in card["config"]["data"].items() if key != "val_fold"}
    of_all = {"folds": config.folds, "seed": config.seed, "budget": config.budget, "data": section}
    card |= {"seed": config.seed, "config": {**card["config"], **of_all}, "fingerprints": data.fingerprints()}
    device = choose_device("cpu" if config.trainer["accelerator"] == "cpu" else "auto")
    folds = [(result.predictor.to(device), fold) for result, fold in zip(results, held_out, strict=True)]
    card["calibration"] = calibrate_out_of_fold(folds)
    began = time.perf_counter()
    card |= _fit_to_all(model, data.splits)
    seconds = time.perf_counter() - began
    save_weights(run.weights, model, card)
    predictor = load(run.weights).to(device)
    test, *tested = evaluate(predictor, data.splits.test, n_returned=predictor.task.n_reported)
    metrics = {**_of_folds(results, predictor.task), "test": test, "seed": config.seed}
    metrics |= {key: card[key] for key in ("n_parameters", "n_candidates") if key in card}
    save_weights(run.weights, model, {**card, "metrics": {"val": metrics["val"], "test": test}})
    metrics["verdict"] = _verdict(metrics, config, predictor.task)
    write_report(run, card["config"], data.splits, metrics, predictor, (tested[0], tested[1]))
    metrics["seconds"]["fit"] = round(metrics["seconds"]["fit"] + seconds, 3)
    metrics["seconds"]["total"] = max(metrics["seconds"]["total"], round(time.perf_counter() - start, 3))
    write_text(run.metrics, json.dumps(metrics, indent=1))  # last, as it marks the run as finished
    return metrics


def _fit_to_all(model: Ensemble, splits: Splits) -> dict[str, Any]:
    """Fit what some networks fit in closed form to all samples that are not for testing, as nothing more is chosen by
    them, and return what the card says of it."""
    if not model.members[0].network.learns_validation:
        return {}
    rank_zero_print("fits what is not learnt in steps to the samples of all folds")
    for member in model.members:
        member.refit(Batches(splits.train, splits.val))
    return {LEARNED_VALIDATION: True, **sizes(model)}


def _of_folds(results: Sequence[Result], task: Task) -> dict[str, Any]:
    """What metrics.json says of all folds together: as "val" the mean score out of fold, and under "folds" the mean and
    standard deviation over the models."""
    moments = {split: _moments([result[split] for result in results]) for split in ("val", "test")}
    first, names = results[0], [set(result["baselines"]) for result in results]
    corrected = statistics.fmean(result.get("corrected", 0.0) for result in results)
    return {
        "val": {name: one["mean"] for name, one in moments["val"].items()},
        "score": task.score,
        "baselines": {name: _baseline(name, results) for name in first["baselines"] if all(name in n for n in names)},
        "folds": {
            "n": len(results),
            **moments,
            "epochs": [result["epoch"] for result in results],
            "stopped": [result["stopped"] for result in results],
        },
        "stopped": statistics.mode(result["stopped"] for result in results),
        "seconds": {key: round(sum(result["seconds"][key] for result in results), 3) for key in ("fit", "total")},
        **({"corrected": round(corrected, 4)} if corrected else {}),
        **{key: first[key] for key in COPIED},
    }


def _baseline(name: str, results: Sequence[Result]) -> dict[str, Any]:
    """A baseline, which was fitted to each fold's training samples: its mean, and by how much the models are better."""
    parts = [result["baselines"][name] for result in results]
    better = _moments([part["better_by"] for part in parts])
    return {
        **parts[0],
        **{split: _means([part[split] for part in parts]) for split in ("val", "test")},
        "seconds": round(sum(part["seconds"] for part in parts), 3),
        "better_by": {key: one["mean"] for key, one in better.items()},
        "standard_error": {key: one["std"] / math.sqrt(len(parts)) for key, one in better.items()},
    }


def _means(values: Sequence[Values]) -> dict[str, float]:
    return {name: one["mean"] for name, one in _moments(values).items()}


def _moments(values: Sequence[Values]) -> dict[str, dict[str, float]]:
    """The mean and the standard deviation of each metric over several models."""
    columns = {name: [one[name] for one in values] for name in values[0]}
    return {
        name: {"mean": statistics.fmean(column), "std": statistics.stdev(column)} for name, column in columns.items()
    }


def _verdict(metrics: Values, config: TrainingConfig, task: Task) -> str:
    epochs, stopped = metrics["folds"]["epochs"], metrics["folds"]["stopped"]
    sentence = f"The weights kept are of epochs {min(epochs)} to {max(epochs)} of the folds."
    if metrics["baselines"]:
        sentence = verdict(metrics, {}, config.plain(), task.score_mode)
    n_cut = stopped.count("budget")
    more = f" The budget ended {n_cut} of {len(stopped)} folds: try a larger budget=, which is for all together."
    return sentence + more * (n_cut > 0)
