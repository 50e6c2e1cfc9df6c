"""Metrics of a trained model on a split; the same code after training and for a loaded file."""

import torch
from torch import Tensor

from zoo.data.splits import Split, batches
from zoo.errors import UserError
from zoo.prediction import Predictor
from zoo.spec import DataSpec


def evaluate(predictor: Predictor, split: Split) -> tuple[dict[str, float], Tensor, Tensor]:
    """Measure a model on a split, in float32.

    Returns:
        The loss (on the scale it is trained on) and the task's metrics by name; all outputs (n, n_outputs) in the
        target's units; all targets.
    """
    outputs, targets = [], []
    for batch in batches(split):
        outputs.append(predictor.outputs(batch).float())
        targets.append(batch["target"])
    output = torch.cat(outputs)
    target = torch.cat(targets).to(output.device)
    metrics = predictor.task.metrics().to(output.device)
    metrics.update(output, target)
    scale = predictor.model.preprocess.scale_target
    loss = predictor.task.loss(scale(output), scale(target))
    values: dict[str, Tensor] = {"loss": loss, **metrics.compute()}
    return {name: float(value) for name, value in values.items()}, output.cpu(), target.cpu()


def check_same_kind(spec: DataSpec, data: DataSpec) -> None:
    """Raise UserError unless `data` has the inputs and the classes that a model with `spec` was trained on."""
    for what, ours, theirs in (
        ("inputs", spec.to_json()["inputs"], data.to_json()["inputs"]),
        ("columns", list(spec.columns), list(data.columns)),
        ("classes", list(spec.class_names), list(data.class_names)),
    ):
        if ours != theirs:
            raise UserError(f"the model was trained on {spec.name}; {data.name} has other {what}: {theirs}, not {ours}")
