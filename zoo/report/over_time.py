"""Sections of a report on recurrent networks: when the answer turned, and hidden units over time."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Subset

from zoo.core.errors import UserError
from zoo.data.sequences.inputs.vocabulary import Vocabulary
from zoo.data.splits import Batch, Splits, batches
from zoo.inference.predictor import Predictor
from zoo.models.model import Model
from zoo.report.sections import Sections
from zoo.report.time_charts import answer_over_time, units_over_time

N_DRAWN = 2  # right and wrong answers, each
N_MOMENTS = 40  # of a sequence, evenly spaced
MOST_STEPS, MOST_UNITS = 2000, 64  # of the sequence whose hidden units are drawn


def over_time(predictor: Predictor, splits: Splits, output: Tensor, target: Tensor) -> str:
    """Sections on the steps of test sequences; "" for other data.

    Args:
        predictor: the trained model.
        splits: the data.
        output: of the first test samples, on the CPU.
        target: of the same samples.
    """
    sections, spec = Sections(predictor, splits), splits.spec
    if next(iter(spec.inputs)) not in ("sequence", "tokens"):
        return ""
    is_class = not spec.target.is_floating and not predictor.task.per_step
    if is_class and len(output):
        _answers(sections, _chosen(predictor.task.probabilities(output), target))
    _units(sections)
    return str(sections)


def _chosen(probabilities: Tensor, target: Tensor) -> list[int]:
    """The least sure of the right answers, which are likely to have turned late, and the surest of the wrong ones."""
    sureness, predicted = probabilities.max(1)
    order = sureness.argsort(stable=True)
    is_right = (predicted == target)[order]
    return order[is_right][:N_DRAWN].tolist() + order[~is_right].flip(0)[:N_DRAWN].tolist()


def _answers(sections: Sections, index: Sequence[int]) -> None:
    """Draw the probability of the true class over the steps of some test samples."""
    batch = next(batches(Subset(sections.splits.test, index)))
    names, drawn = sections.splits.spec.class_names, []
    for row in range(len(index)):
        sequence, true = _sample(sections.splits, batch, row), int(batch["target"][row])
        moments = sorted({round(m) for m in torch.linspace(1, len(sequence), min(N_MOMENTS, len(sequence))).tolist()})
        probability = _after(sections.predictor, batch, row, moments)  # (n_moments, n_classes)
        answers = probability.argmax(1)
        last = int(answers[-1])
        other = last if last != true else int(probability.sum(0).scatter(0, torch.tensor(true), -1).argmax())
        lines = [(f"{names[true]} (true)", probability[:, true]), (names[other], probability[:, other])]
        turned = int((answers != last).nonzero().max()) + 1 if (answers != last).any() else 0
        drawn.append(answer_over_time(sequence, moments, lines, moments[turned]))
    sections.section(
        "When the answer turned",
        "Test samples, the least sure of the right answers and then the surest of the wrong ones: the probability of "
        "the true class, and of the one nearest to it, after the steps up to each moment. From the dashed line on, the "
        "answer stays what it is in the end.",
        *drawn,
    )


def _sample(splits: Splits, batch: Batch, row: int) -> "Tensor | str":
    """A sequence (time, n_channels) or a text, without padding; "" for a text whose steps are not characters."""
    name = next(iter(splits.spec.inputs))
    values = batch[name][row][: int(batch["lengths"][row]) if "lengths" in batch else None].cpu()
    if name == "sequence":
        return values.float()
    vocabulary = Vocabulary.of_reading(splits.spec.reading)
    pieces = vocabulary.pieces
    return "" if vocabulary.merges else "".join(pieces[token] for token in values.tolist())


def _after(predictor: Predictor, batch: Batch, row: int, moments: Sequence[int]) -> Tensor:
    """Probabilities (n_moments, n_classes) after the first steps of a sample, read anew for each number of steps."""
    sample = {name: batch[name][row : row + 1] for name in predictor.spec.inputs}
    if "lengths" in sample:
        parts = [{name: value.expand(len(moments), *value.shape[1:]) for name, value in sample.items()}]
        parts[0]["lengths"] = torch.tensor(moments)
    else:
        parts = [{name: value[:, :moment] for name, value in sample.items()} for moment in moments]
    return torch.cat([predictor.task.probabilities(predictor.outputs(part)).cpu() for part in parts])


def _units(sections: Sections) -> None:
    """Draw the hidden units of the first test sample."""
    batch = next(batches(sections.splits.test, 1))
    model = sections.predictor.model
    if not isinstance(model, Model):
        return  # an ensemble
    try:
        with torch.inference_mode():
            hidden = model.hidden_states(**sections.predictor.to_device(batch))
    except UserError:  # of a network that has none
        return
    sample = _sample(sections.splits, batch, 0)
    every = -(-hidden.shape[2] // MOST_UNITS)
    padded = batch[next(iter(sections.splits.spec.inputs))].shape[1]
    n = -(-len(sample) * hidden.shape[1] // padded)  # of a network that shortens sequences, fewer
    states = hidden[0, : min(n, MOST_STEPS), ::every].float().cpu()
    sections.section(
        "Hidden units over time",
        f"{states.shape[1]} of the {hidden.shape[2]} hidden units of the last layer over the first test sample, orange "
        "above 0 and blue below, ordered by the step at which each is largest. Units that hold a value remember; those "
        "that flicker follow the input.",
        units_over_time(states, sample if isinstance(sample, str) and len(sample) == len(states) else ""),
    )
