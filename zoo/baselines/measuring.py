"""Fit the baselines of a data set, measure them like a model, and compare a model with them."""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.baselines import BASELINES, takes
from zoo.core.rank_zero import rank_zero_print
from zoo.data.splits import Batch, Split, Splits, batches, read
from zoo.tasks import Task
from zoo.tasks.base import Answer, Scale
from zoo.tasks.scores import BlockScores, Scores

MOST_SAMPLES, MOST_BYTES = 20_000, 2**27  # that a baseline is fitted to


@dataclass(frozen=True)
class Measured:
    """A baseline as it was measured.

    Attributes:
        facts: what metrics.json says of it: "val" and "test" by metric, seconds to fit and measure it, whether it is
            the task's naive answer, and which part of the training split it was fitted to if not all.
        blocks: its loss and score in blocks of the validation split.
    """

    facts: Mapping[str, Any]
    blocks: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Measure:
    """Measures answers on the held-out splits.

    Args:
        splits: the data.
        task: of the trained model.
        scale: standardises values in the target's units, on the CPU.
    """

    splits: Splits
    task: Task
    scale: Scale

    def __call__(self, answer: Answer, start: float, **facts: Any) -> Measured:
        """Measure an answer that was fitted from `start` on; UserError where its score is not a number."""
        blocks = BlockScores(self.task, self.scale, len(self.splits.val))  # type: ignore[arg-type]
        val = self._values(answer, self.splits.val, blocks)
        test = self._values(answer, self.splits.test)
        if not math.isfinite(val[self.task.score]):
            raise ValueError(f"its {self.task.score} is {val[self.task.score]}")
        seconds = round(time.perf_counter() - start, 3)
        return Measured({"val": val, "test": test, "seconds": seconds, **facts}, blocks.values)

    def _values(self, answer: Answer, split: Split, blocks: BlockScores | None = None) -> dict[str, float]:
        scores = Scores(self.task, self.scale)
        for batch in batches(split):
            output = answer(batch)
            scores.update(output, batch["target"])
            if blocks is not None:
                blocks.update(output, batch["target"])
        return scores.compute()


def measure_baselines(splits: Splits, task: Task, measure: Measure) -> dict[str, Measured]:
    """Fit the naive answers of a task and the quick references for its data, and measure them. Where one fails, a line
    says why, and it is left out.

    Args:
        splits: the data.
        task: of the training.
        measure: measures them as the trained model is.
    """
    measured: dict[str, Measured] = {}
    train, part = _training_samples(splits.train)
    with _left_out("the naive answer"):
        for name, answer in task.naive(train).items():
            measured[name] = measure(answer, time.perf_counter(), naive=True, **part)
    for entry in BASELINES.names(f"{splits.spec.task}/*"):
        name, start = entry.partition("/")[2], time.perf_counter()
        with _left_out(name):
            if takes(BASELINES.get(entry), splits.spec):
                answer = _of_batch(task, BASELINES.get(entry)(splits.spec, **train))
                measured[name] = measure(answer, start, naive=False, **part)
    return measured


def compare(
    baselines: Mapping[str, Measured], task: Task, val: Mapping[str, float], blocks: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, Any]]:
    """What metrics.json says of baselines beside a model: their facts, by how much the loss and the score of the model
    are better on the validation split, and the standard error of each difference, None for a single sample.

    Args:
        baselines: on the model's data.
        task: of the model.
        val: its loss and metrics on the validation split.
        blocks: its loss and score in blocks of that.
    """
    signs = {"loss": -1, task.score: 1 if task.score_mode == "max" else -1}
    compared = {}
    for name, baseline in baselines.items():
        better = {key: sign * (val[key] - baseline.facts["val"][key]) for key, sign in signs.items()}
        pairs = [*zip(blocks, baseline.blocks, strict=True)]
        errors = {key: _standard_error([ours[key] - theirs[key] for ours, theirs in pairs]) for key in signs}
        compared[name] = {**baseline.facts, "better_by": better, "standard_error": errors}
    return compared


def _standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean of values, those that are NaN left out."""
    finite = [value for value in values if math.isfinite(value)]
    return statistics.stdev(finite) / math.sqrt(len(finite)) if len(finite) > 1 else None


def _training_samples(split: Split) -> tuple[Batch, dict[str, str]]:
    """Read the training split, or a random part of a large one; and say which part."""
    n: int = len(split)  # type: ignore[arg-type]
    n_bytes = sum(value.nbytes for value in split[0].values())
    n_read = min(n, MOST_SAMPLES, max(2, MOST_BYTES // n_bytes))
    index = torch.randperm(n, generator=torch.Generator().manual_seed(0))[:n_read].sort().values
    return read(split, index.tolist()), {} if n_read == n else {"part": f"{n_read:,} of {n:,} samples"}


def _of_batch(task: Task, predict: Callable[..., Tensor]) -> Answer:
    return lambda batch: task.certain(predict(**{name: batch[name] for name in task.spec.inputs}))


@contextlib.contextmanager
def _left_out(name: str) -> Iterator[None]:
    """Go on without a baseline that fails: a finished training is worth more."""
    try:
        yield
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        rank_zero_print(f"baseline left out: {name}: {line}")
