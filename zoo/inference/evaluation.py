"""Measure a trained model on a split; the same code after training and for a loaded file."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.core.atomic_files import write_text
from zoo.core.errors import UserError, unknown_name
from zoo.core.run_folder import Run
from zoo.data.fingerprints import SPLIT_ORDER
from zoo.data.splits import Batch, Split, batches
from zoo.inference.device import choose_device
from zoo.inference.held_out import LEARNED_VALIDATION, samples_to_measure
from zoo.inference.predictor import Predictor
from zoo.inference.pretrained import list_pretrained, load
from zoo.inference.test_time_augmentation import VIEWS, Views
from zoo.inference.training_data import run_of
from zoo.models.ensemble import sizes
from zoo.tasks.scores import BlockScores, Scores


def evaluate(
    predictor: Predictor | str | Path,
    split: Split | str = "test",
    n_returned: int | None = None,
    views: Views | None = None,
    blocks: BlockScores | None = None,
) -> tuple[dict[str, float], Tensor, Tensor]:
    """Measure a model on a split, in float32; targets in float64 are measured in that.

    Args:
        predictor: of the model, or what `zoo.load` takes.
        split: "train", "val" or "test" of the data that the model was trained on, or a split of `zoo.load_data`. Read
            in order; a text is one stream, whose state is carried from start to end.
        n_returned: number of samples whose outputs to return; None for all.
        views: variants of images, over which outputs (logits, for classes) are averaged.
        blocks: to measure the score in blocks of the split too.

    Returns:
        The task's loss (on the scale it is trained on) and metrics by name; the outputs in the target's units, and the
        targets, of the first `n_returned` samples.

    Raises:
        UserError: for weights that `zoo.load` refuses, and for anything but a split.
    """
    predictor, split = _loaded(predictor, split)
    scores, state = Scores(predictor.task, predictor.model.preprocess.scale_target, predictor.device), None
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    for batch in batches(split):
        if views is None:
            output, state = predictor.carry(batch, state)
        else:
            output = _mean_over_views(predictor, batch, views)
        target = batch["target"].to(predictor.device)
        scores.update(output, target)
        if blocks is not None:
            blocks.update(output, target)
        left = len(target) if n_returned is None else max(n_returned - sum(map(len, targets)), 0)
        outputs.append(output[:left].cpu())
        targets.append(target[:left].cpu())
    return scores.compute(), torch.cat(outputs), torch.cat(targets)


def _loaded(predictor: Any, split: Any) -> tuple[Predictor, Split]:
    """A predictor and a split, by their names or as they are."""
    given = predictor
    predictor = load(predictor) if isinstance(predictor, str | Path) else predictor
    if not isinstance(predictor, Predictor):
        raise UserError(f"evaluate takes what zoo.load returns, or a name or path that it takes; got {given}")
    if isinstance(split, str):
        _check_split(split)
        split = samples_to_measure(predictor, str(given), None, split)[1]
    if not hasattr(split, "__getitem__") or not hasattr(split, "__len__") or not len(split):
        raise UserError(
            f"a split is train, val or test, or that of zoo.load_data, as data.test; got {type(split).__name__}"
        )
    return predictor, split


def _mean_over_views(predictor: Predictor, batch: Batch, views: Views) -> Tensor:
    outputs = [predictor.carry({**batch, "image": view})[0] for view in views(batch["image"])]
    return torch.stack(outputs).mean(0)


def evaluate_weights(
    weights: str | Path | None,
    *,
    data: Mapping[str, Any] | None = None,
    split: str = "test",
    device: str = "auto",
    run_dir: str | Path | None = None,
    tta: str | None = None,
    start: float | None = None,
) -> dict[str, Any]:
    """Measure a pretrained file or a run's model.safetensors.

    Args:
        weights: what `zoo.load` takes.
        data: a config's data section; None for the data that the model was trained on. Of a user's table or folder of
            images all samples are measured.
        split: "train", "val" or "test".
        device: "cpu", "cuda", or "auto" for CUDA if there is a device.
        run_dir: a folder to write metrics.json to.
        tta: test-time augmentation of images, reported beside the plain metrics: "mirror" averages over an image and
            its mirror image, "shift" over shifts by a pixel, "mirror_shift" over both.
        start: when the seconds begin, by `time.perf_counter`, such as where a command began; None: now.

    Returns:
        {split: {metric: value}, "n_parameters": ..., "seconds": ..., "device": ...}, {"<split> tta": ...} if asked, and
        the "baselines" of the same samples that the weights' run folder knows.

    Raises:
        UserError: for weights that `zoo.load` refuses, data of another kind, an unknown split or device, or a
            `run_dir` that holds a training.
    """
    folder = _check_arguments(weights, split, run_dir, tta)
    device = choose_device(device)
    start = time.perf_counter() if start is None else start
    predictor = load(str(weights)).to(device)
    if tta is not None and "image" not in predictor.spec.inputs:
        raise UserError(f"tta={tta} is for images; {weights} takes {', '.join(predictor.spec.inputs)}")
    name, samples = samples_to_measure(predictor, str(weights), data, split)
    measured = {split: evaluate(predictor, samples, n_returned=0)[0]}
    if tta is not None:
        measured[f"{split} tta"] = evaluate(predictor, samples, n_returned=0, views=VIEWS[tta])[0]
    metrics = {
        **measured,
        "weights": str(weights),
        "data": name,
        **(_baselines(str(weights), split, measured[split]) if data is None else {}),
        **sizes(predictor.model),
        "seconds": {"total": round(time.perf_counter() - start, 3)},
        "device": device,
    }
    if folder is not None:
        write_text(folder / "metrics.json", json.dumps(metrics, indent=1))
    return metrics


def _baselines(weights: str, split: str, measured: Mapping[str, float]) -> dict[str, Any]:
    """What the run folder says of the baselines on a split, if its model has the loss measured now: other samples would
    give another."""
    run = run_of(weights)
    known = run.read_metrics() if run and run.metrics.exists() else {}
    loss = known.get(split, {}).get("loss", math.nan)
    is_same = math.isclose(loss, measured["loss"], rel_tol=1e-3)
    return {key: known[key] for key in ("score", "baselines") if is_same and key in known}


def _check_arguments(
    weights: str | Path | None, split: str, run_dir: str | Path | None, tta: str | None
) -> Path | None:
    """Check the arguments of `evaluate_weights` and return the folder to write to."""
    if weights is None:
        raise UserError(f"say which weights: a run folder, a file, or one of {', '.join(list_pretrained())}")
    _check_split(split)
    if tta is not None and tta not in VIEWS:
        raise unknown_name("test-time augmentation", tta, VIEWS)
    folder = None if run_dir is None else Path(run_dir).expanduser()
    if folder is not None and Run(folder).config.exists():
        raise UserError(f"run_dir={run_dir} holds a training, whose metrics would be lost; give another run_dir")
    return folder


def _check_split(split: str) -> None:
    if split not in SPLIT_ORDER:
        raise unknown_name("split", split, SPLIT_ORDER)


def calibrate_and_evaluate(path: Path, origin: Path | None = None) -> dict[str, Any]:
    """Calibrate a weights file on the validation split of the data it was trained on, unless it has learned that, and
    measure it on that and the test split.

    Args:
        path: of the file.
        origin: a weights file in the run folder that says where these data are; None for `path` itself.

    Returns:
        What its card says of both: "calibration", and "metrics" by split.
    """
    predictor = load(path).to(choose_device("auto"))
    val, test = (samples_to_measure(predictor, str(origin or path), None, split)[1] for split in ("val", "test"))
    if not predictor.card.get(LEARNED_VALIDATION):
        predictor.calibrate(val)
    measured = {name: evaluate(predictor, split, n_returned=0)[0] for name, split in (("val", val), ("test", test))}
    return {"calibration": predictor.calibration, "metrics": measured}
