"""Metrics of a trained model on a split; the same code after training and for a loaded file."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.atomic_files import write_text
from zoo.core.errors import UserError, unknown_name
from zoo.core.rank_zero import rank_zero_print
from zoo.core.run_folder import Run
from zoo.core.spec import DataSpec, Input
from zoo.data.fingerprints import describe_changes, fingerprints, read_hashes, sample_hashes
from zoo.data.leakage import earlier_hashes_key, seen_hashes
from zoo.data.module import load_section
from zoo.data.splits import Split, batches
from zoo.inference.predictor import Predictor, choose_device
from zoo.inference.pretrained import list_pretrained, load
from zoo.inference.provenance import held_out, place_of, run_of, tell_known, tell_seen, trained_on

SPLITS = ("train", "val", "test")


def _mirror(image: Tensor) -> list[Tensor]:
    return [image, image.flip(3)]


def _shift(image: Tensor) -> list[Tensor]:
    """The image, and it shifted by a pixel down and right, and up and left."""
    padded, (h, w) = F.pad(image.float(), (1, 1, 1, 1), mode="reflect"), image.shape[2:]
    return [padded[:, :, at : at + h, at : at + w] for at in (1, 0, 2)]


def _mirror_shift(image: Tensor) -> list[Tensor]:
    return [view for shifted in _shift(image) for view in _mirror(shifted)]


Views = Callable[[Tensor], list[Tensor]]
VIEWS: Mapping[str, Views] = {"mirror": _mirror, "shift": _shift, "mirror_shift": _mirror_shift}


def evaluate(
    predictor: Predictor,
    split: Split,
    kept: int | None = None,
    views: Views | None = None,
) -> tuple[dict[str, float], Tensor, Tensor]:
    """Measure a model on a split, in float32; a target of float64 in that.

    Args:
        predictor: with the model.
        split: read in order; a text is one stream, whose state is carried from its start to its end.
        kept: how many samples' outputs to return; None for all.
        views: gives variants of images (batch, channels, height, width), over which the outputs are averaged (logits,
            for classes).

    Returns:
        The task's plain loss (on the scale it is trained on) and its metrics, by name; the outputs in the target's
        units, and the targets, of the first samples.
    """
    task, preprocess = predictor.task, predictor.model.preprocess
    metrics = task.metrics().to(predictor.device)
    total, n, state = torch.zeros((), dtype=torch.float64), 0.0, None
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    for batch in batches(split):
        if views is None:
            output, state = predictor.carry(batch, state)
        else:
            answers = [predictor.carry({**batch, "image": view})[0] for view in views(batch["image"])]
            output = torch.stack(answers).mean(0)
        target = batch["target"].to(predictor.device)
        task.measure(metrics, output, target, preprocess.scale_target)
        count = float(task.count(target))
        total += task.loss(preprocess.scale_target(output), preprocess.scale_target(target)).cpu() * count
        n += count
        left = len(target) if kept is None else max(kept - sum(len(part) for part in targets), 0)
        outputs.append(output[:left].cpu())
        targets.append(target[:left].cpu())
    values: dict[str, Tensor] = {"loss": total / n, **metrics.compute()}
    return {name: float(value) for name, value in values.items()}, torch.cat(outputs), torch.cat(targets)


def evaluate_weights(
    weights: str | Path | None,
    *,
    data: Mapping[str, Any] | None = None,
    split: str = "test",
    device: str = "auto",
    run_dir: str | Path | None = None,
    tta: str | None = None,
) -> dict[str, Any]:
    """Measure a pretrained file or a run's model.safetensors.

    Args:
        weights: what `zoo.load` takes.
        data: a config's data section; None takes the data the model was trained on. Of a table or a folder of images of
            the user's own, all is measured.
        split: "train", "val" or "test".
        device: "cpu", "cuda", or "auto" for CUDA where there is one.
        run_dir: a folder to write metrics.json to.
        tta: test-time augmentation of images, beside the plain metrics: "mirror" averages over an image and its mirror
            image, "shift" over shifts by a pixel, "mirror_shift" over both.

    Returns:
        {split: {metric: value}, "n_parameters": ..., "seconds": ..., "device": ...}, and {"<split> tta": ...} if asked.

    Raises:
        UserError: for weights that `zoo.load` refuses, data of another kind, a split or device there is not, or a
            `run_dir` that holds a training.
    """
    if weights is None:
        raise UserError(f"say which weights: a run folder, a file, or one of {', '.join(list_pretrained())}")
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if tta is not None and tta not in VIEWS:
        raise unknown_name("test-time augmentation", tta, VIEWS)
    folder = None if run_dir is None else Path(run_dir).expanduser()
    if folder is not None and Run(folder).config.exists():
        raise UserError(f"run_dir={run_dir} holds a training, whose metrics would be lost; give another run_dir")
    device = choose_device(device)
    start = time.perf_counter()
    predictor = load(weights).to(device)
    if tta is not None and "image" not in predictor.spec.inputs:
        raise UserError(f"tta={tta} is for images; {weights} takes {', '.join(predictor.spec.inputs)}")
    name, samples = _samples(predictor, str(weights), data, split)
    measured = {split: evaluate(predictor, samples, kept=0)[0]}
    if tta is not None:
        measured[f"{split} tta"] = evaluate(predictor, samples, kept=0, views=VIEWS[tta])[0]
    metrics = {
        **measured,
        "weights": str(weights),
        "data": name,
        "n_parameters": sum(parameter.numel() for parameter in predictor.model.parameters()),
        "seconds": {"total": round(time.perf_counter() - start, 3)},
        "device": device,
    }
    if folder is not None:
        write_text(folder / "metrics.json", json.dumps(metrics, indent=1))
    return metrics


def measure(path: Path, origin: Path | None = None) -> dict[str, dict[str, float]]:
    """The metrics of a release file on the validation and the test split of the data it was trained on, of which
    `origin`, a release file in its run folder, says where they are."""
    predictor = load(path).to(choose_device("auto"))
    measured: dict[str, dict[str, float]] = {}
    for split in ("val", "test"):
        _, samples = _samples(predictor, str(origin or path), None, split)
        measured[split] = evaluate(predictor, samples, kept=0)[0]
    return measured


def _samples(predictor: Predictor, weights: str, data: Mapping[str, Any] | None, split: str) -> tuple[str, Split]:
    """What to measure on, and the name of its data set."""
    from zoo.data.readers import read_labelled

    if data is None:
        return _own_samples(predictor, weights, split)
    if (samples := read_labelled(predictor.spec, data)) is not None:
        tell_known(weights, [samples])
        return Path(data["path"] or data["labels"]).name, samples
    splits = load_section(data)
    check_same_kind(predictor.spec, splits.spec)
    if not (split == "test" and "n_val" in data):  # an official one is the same for all
        tell_seen(predictor, weights, splits, data)
    return splits.spec.name, getattr(splits, split)


def _own_samples(predictor: Predictor, weights: str, split: str) -> tuple[str, Split]:
    """A split of the data that a model was trained on, and their name. Of data that changed since, what was held out
    then, which the run folder knows.

    Raises:
        UserError: where that cannot be told.
    """
    run, card = run_of(weights), predictor.card
    data = trained_on(card, run, weights)
    keys = read_hashes(run.samples) if run else {}
    try:
        splits = load_section(data)
    except (TypeError, AttributeError, KeyError) as error:  # by what a card may say
        raise UserError(f"{weights} says that it was trained on {dict(data)!r:.200}, which cannot be read") from error
    changed = f"{place_of(data)} is not what {weights} was trained on"
    try:
        check_same_kind(predictor.spec, splits.spec)
    except UserError as error:
        raise UserError(f"{changed}: {str(error).splitlines()[0].rstrip(':')}\n{_way_out(data)}") from error
    if earlier_hashes_key(split) in keys:
        splits = held_out(splits, {split: keys[earlier_hashes_key(split)]})
    told, found = card.get("fingerprints"), sample_hashes(getattr(splits, split))
    changes = (
        "" if not isinstance(told, Mapping) or found is None else describe_changes(told, fingerprints({split: found}))
    )
    if changes and not keys and split != "train":
        raise UserError(
            f"{changed}: {changes}; which of them it was trained on, its run folder alone knows\n{_way_out(data)}"
        )
    if changes:
        rank_zero_print(f"{changed}: {changes}")
        splits = held_out(splits, {split: seen_hashes(keys, split)})
    return splits.spec.name, getattr(splits, split)


def _way_out(data: Mapping[str, Any]) -> str:
    return (
        f"give it back as it was, or say what to measure on: data={data.get('reader', data['name'])} with its settings"
    )


def check_same_kind(spec: DataSpec, data: DataSpec) -> None:
    """Raise UserError unless `data` has the inputs and the classes that a model with `spec` was trained on."""
    for what, ours, theirs in (
        ("inputs", *({name: one.shape for name, one in some.inputs.items()} for some in (spec, data))),
        ("columns", spec.column_names, data.column_names),
        ("inputs", *(_rounded(some.inputs) for some in (spec, data))),
        ("columns", spec.columns, data.columns),
        ("classes", spec.class_names, data.class_names),
        ("characters", spec.reading.get("alphabet"), data.reading.get("alphabet")),
    ):
        if ours != theirs:
            raise UserError(
                f"{data.name} has other {what} than {spec.name}, on which the model was trained:\n{theirs}\nnot {ours}"
            )


def _rounded(inputs: Mapping[str, Input]) -> dict[str, Input]:
    """Inputs without the width of their floating numbers, as a model takes either."""
    return {name: replace(one, dtype="float32") if one.is_floating else one for name, one in inputs.items()}
