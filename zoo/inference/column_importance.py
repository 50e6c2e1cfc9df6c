"""How much a model depends on each column of a table: by permutation, and by its gradient.

Both count a column of the user's table once, with all numbers that it becomes, such as the parts of a date.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.data.splits import Batch
from zoo.inference.predictor import Predictor
from zoo.inference.table_columns import TABLE_INPUTS, Answers, TableColumn
from zoo.models.preprocess import Preprocess

COPIED_ROWS = 4096  # of the shuffled copies that are answered together
N_STEPS = 16  # from the mean of all rows to a row, over which gradients are averaged


def loss_of(predictor: Predictor, output: Tensor, target: Tensor) -> float:
    """The mean loss, as the task has it, of outputs in the target's units."""
    scale = predictor.model.preprocess.scale_target
    return float(predictor.task.loss(scale(output), scale(target)))


def permutation_importance(
    predictor: Predictor,
    batch: Batch,
    columns: Sequence[TableColumn],
    *,
    n_repeats: int,
    generator: torch.Generator,
) -> Tensor:
    """How much the loss rises when the values of a column are shuffled among the rows (L. Breiman, Machine Learning 45,
    2001, section 10; A. Fisher et al., JMLR 20 (177), 2019, section 3.2, who take it for any model).

    Args:
        predictor: of a table.
        batch: its inputs, each (n, ...), and "target", on its device.
        columns: to shuffle, one at a time.
        n_repeats: how often, with another order of the rows each time.
        generator: of the orders, on the CPU.

    Returns:
        The rises (n_columns, n_repeats).
    """
    n = len(batch["target"])
    loss = loss_of(predictor, predictor.outputs(batch), batch["target"])
    n_together = max(1, COPIED_ROWS // n)
    repeats: list[list[float]] = []
    for _ in range(n_repeats):
        order = torch.randperm(n, generator=generator).to(predictor.device)
        repeats.append([])
        for start in range(0, len(columns), n_together):
            shuffled = columns[start : start + n_together]
            outputs = predictor.outputs(_shuffled(batch, shuffled, order)).unflatten(0, (len(shuffled), n))
            repeats[-1] += [loss_of(predictor, output, batch["target"]) - loss for output in outputs]
    return torch.tensor(repeats, dtype=torch.float64).T


def _shuffled(batch: Batch, columns: Sequence[TableColumn], order: Tensor) -> Batch:
    """A copy of all rows for each column, with that column in another order: (n_columns * n, ...)."""
    copies = {name: batch[name].repeat(len(columns), 1, 1) for name in TABLE_INPUTS if name in batch}
    for copy, one in enumerate(columns):
        for entry in one.entries:
            copies[one.input][copy, :, entry] = batch[one.input][order, entry]
    return {name: values.flatten(0, 1) for name, values in copies.items()}


def gradient_importance(
    predictor: Predictor, batch: Batch, columns: Sequence[TableColumn], generator: torch.Generator
) -> Tensor:
    """The mean size of a column's share in the answer: of numbers and dates by integrated gradients from the mean of
    the rows to each row (M. Sundararajan et al., arXiv 1703.01365, section 3); of categories the change of the answer
    when each row gets the category of another row. Needs no targets.

    Args: as of `permutation_importance`.

    Returns:
        (n_columns,), in the target's units, or as a probability, see `Answers.explained`.
    """
    answers = Answers(predictor)
    outputs = predictor.outputs(batch)
    likeliest = answers.likeliest(outputs)
    before = answers.explained(outputs, likeliest)
    order = torch.randperm(len(outputs), generator=generator).to(predictor.device)
    shares = _integrated_gradients(predictor, answers, batch, likeliest) if "numeric" in batch else None
    sizes: list[float] = []
    for one in columns:
        if one.input == "numeric":
            assert shares is not None
            change = shares[..., list(one.entries)].sum(-1)  # (n_explained, n)
        else:
            swapped = predictor.outputs(_shuffled(batch, [one], order))
            change = answers.explained(swapped, likeliest) - before
        sizes.append(float(change.abs().mean()))
    return torch.tensor(sizes, dtype=torch.float64)


def _integrated_gradients(predictor: Predictor, answers: Answers, batch: Batch, likeliest: Tensor) -> Tensor:
    """The share of each number in each explained answer (n_explained, n, n_numeric), the mean being that of the rows as
    the first layer scales them."""
    layers = [layer for layer in predictor.model.modules() if isinstance(layer, Preprocess)]  # one for each member
    with torch.inference_mode():
        means = [layer({"numeric": batch["numeric"]})["numeric"].mean(0) for layer in layers]
    parts, n_done = [], 0
    for part in predictor.parts(batch):
        chosen = likeliest[n_done : n_done + len(part["numeric"])]
        n_done += len(chosen)
        steps = [(step + 0.5) / N_STEPS for step in range(N_STEPS)]
        shares = [_shares(predictor, answers, part, list(zip(layers, means, strict=True)), chosen, at) for at in steps]
        parts.append(torch.stack(shares).mean(0))
    return torch.cat(parts, dim=1)


@torch.enable_grad()
def _shares(
    predictor: Predictor,
    answers: Answers,
    part: Batch,
    means: Sequence[tuple[Preprocess, Tensor]],
    likeliest: Tensor,
    at: float,
) -> Tensor:
    """Gradients of the explained answers at a share of the way from the mean, times the way (n_explained, n,
    n_numeric), summed over the layers that scale."""
    places: list[Tensor] = []
    ways: list[Tensor] = []

    def put_between(mean: Tensor, scaled: Batch) -> Batch:
        ways.append(scaled["numeric"].detach() - mean.clone())
        places.append((mean + at * ways[-1]).requires_grad_())
        return scaled | {"numeric": places[-1]}

    hooks = [
        layer.register_forward_hook(lambda _, __, scaled, mean=mean: put_between(mean, scaled)) for layer, mean in means
    ]
    try:
        explained = answers.explained(predictor.model(**part), likeliest)
    finally:
        for hook in hooks:
            hook.remove()
    found = [torch.autograd.grad(answer.sum(), places, retain_graph=True) for answer in explained.T]
    return torch.stack([sum(map(torch.mul, gradients, ways), torch.zeros(())) for gradients in found])
