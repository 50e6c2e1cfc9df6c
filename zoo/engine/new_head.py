"""Fit a new head on a trained body, before the first step of a finetuning."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.data.splits import Split, batches
from zoo.models.model import Model
from zoo.tasks.base import Task

MOST = 20_000  # training samples that the head is fitted on
STEPS = 100
DECAY = 10  # of the weights' squares, as of one sample's loss, on features of unit variance


def fit_new_head(model: Model, task: Task, train: Split) -> bool:
    """Fit the head on the features of training samples, with L2 regularisation; return whether the network has a linear
    head and one vector of features a sample, which does not depend on the sample's own target.

    Steps from a random head would first undo what the body has learned: resnet20.cifar10 on 360 photos of ten other
    classes ends at 0.52 test accuracy so, and at 0.94 from a fitted head.
    """
    head = model.network.head
    if not isinstance(head, nn.Linear) or model.n_members > 1 or model.network.candidates is not None:
        return False
    features, target = _features(model, train)
    if features.ndim != 2:  # a vector for each step
        return False
    scaled_target = model.preprocess.scale_target(target)
    centre = features.mean(0) if head.bias is not None else torch.zeros_like(features[0])
    scale = features.std(0).square().mean().sqrt().clamp(min=1e-6)
    parameters = _fit((features - centre) / scale, head, lambda output: task.loss(model.shaped(output), scaled_target))
    with torch.no_grad():
        head.weight.copy_(parameters[0] / scale)
        if head.bias is not None:
            head.bias.copy_(parameters[1] - head.weight @ centre)
    return True


def _features(model: Model, train: Split) -> tuple[Tensor, Tensor]:
    """The body's features (n, d_features) of the first training samples, and their targets."""
    parts, n = [], 0
    was_training = model.training
    model.eval()
    for batch in batches(train):
        target = batch["target"]
        with torch.no_grad():
            features = model.features(**{name: values for name, values in batch.items() if name != "target"})
        parts.append((features.float(), target))
        n += len(target)
        if n >= MOST:
            break
    model.train(was_training)
    return torch.cat([part for part, _ in parts]), torch.cat([part for _, part in parts])


def _fit(features: Tensor, head: nn.Linear, loss_of: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """The weight (n_outputs, d_features), and the bias (n_outputs,) of a head that has one, of the lowest loss.

    Args:
        features: of zero mean and unit variance over all, (n, d_features).
        head: of this size.
        loss_of: the loss of outputs (n, n_outputs).
    """
    parameters = [torch.zeros_like(parameter, requires_grad=True) for parameter in head.parameters()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        output = nn.functional.linear(features, *parameters)
        loss = loss_of(output) + DECAY * parameters[0].square().sum() / (2 * len(features))
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return [parameter.detach() for parameter in parameters]
