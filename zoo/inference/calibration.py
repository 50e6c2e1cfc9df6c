"""Calibrate a trained model on held-out samples, for intervals and sets of classes with a chosen coverage."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from zoo.core.errors import UserError
from zoo.data.splits import Split, batches

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor

MOST_SAMPLES = 10_000  # of a split, evenly spaced
MOST_SCORES = 1_000  # that are kept of each value, and for all values together ten times as many, but
LEAST_SCORES = 40  # of each value


@dataclass(frozen=True)
class Calibration:
    """What a weights file keeps of the samples that its model was calibrated on.

    Attributes:
        n: samples.
        scores: of `zoo.tasks.conformal`, in rising order, float64 (n_kept, n_bands, ...): of more than so many samples
            the quantiles at evenly spaced ranks.
    """

    n: int
    scores: Tensor

    @classmethod
    def of(cls, scores: Tensor) -> "Calibration":
        """Keep the scores (n_bands, n, ...) of n samples; of values that some samples lack (NaN), as many count as the
        one with fewest has."""
        ordered = scores.double().movedim(1, 0).sort(0).values.cpu()  # (n, n_bands, ...), NaN last
        measured = (~ordered.isnan()).sum(0)  # (n_bands, ...)
        n, n_values = int(measured.min()), ordered[0].numel()
        n_kept = min(n, MOST_SCORES, max(LEAST_SCORES, 10 * MOST_SCORES // n_values))
        ranks = _ranks(n, n_kept).view(-1, *[1] * measured.ndim)
        return cls(n, ordered.gather(0, (ranks * measured + n - 1) // n - 1))

    def limits(self, coverage: float) -> Tensor:
        """The scores (n_bands, ...) that a new sample's exceeds with a probability of at most 1 - `coverage`: those of
        rank ceil((n + 1) * coverage) among n (J. Lei et al., arXiv 1604.04173, algorithm 2), or the next that is kept.

        Raises:
            UserError: where the samples are too few for the coverage.
        """
        if not 0 < coverage < 1:
            raise UserError(f"coverage is a share between 0 and 1, such as 0.9; got {coverage}")
        rank = _ceil((self.n + 1) * coverage)
        if rank > self.n:
            raise UserError(
                f"coverage={coverage} needs {_ceil(coverage / (1 - coverage)):,} held-out samples or more; this model "
                f"was calibrated on {self.n}, enough for coverage={math.floor(1e4 * self.n / (self.n + 1)) / 1e4}"
            )
        return self.scores[int(torch.searchsorted(_ranks(self.n, len(self.scores)), rank))]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {"n": self.n, "scores": self.scores.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], shape: tuple[int, ...]) -> "Calibration":
        """Convert from the output of `to_json`, of scores of a shape. UserError for anything else, as in a file that is
        not the zoo's."""
        try:
            found = cls(int(values["n"]), torch.tensor(values["scores"], dtype=torch.float64))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"the file's calibration cannot be read: {error}") from error
        if found.scores.shape[1:] != shape or not 0 < len(found.scores) <= found.n:
            raise UserError(
                f"the file's calibration is of {found.n} samples and has scores {tuple(found.scores.shape)}"
            )
        return found


def _ranks(n: int, n_kept: int) -> Tensor:
    """`n_kept` evenly spaced ranks among n, int64, from 1 to n."""
    return torch.linspace(1, n, n_kept, dtype=torch.float64).sub(1e-6).ceil().long().clamp(min=1)


def _ceil(number: float) -> int:
    """The next whole number; rounding errors do not count."""
    return math.ceil(round(number, 6))


def calibrate(predictor: "Predictor", split: Split) -> Mapping[str, Any]:
    """Calibrate a model on samples that it was not trained on, such as the validation split.

    Returns:
        The calibration as plain values, as the weights file keeps it; none for tasks without regions.
    """
    return calibrate_out_of_fold([(predictor, split)])


def calibrate_out_of_fold(folds: "Sequence[tuple[Predictor, Split]]") -> Mapping[str, Any]:
    """Calibrate the mean of several models, each on a fold that it was not trained on: the errors of single models are
    larger than those of their mean, so the coverage is rather higher than asked (V. Vovk, "Cross-conformal
    predictors", 2015, pools the folds' errors likewise, but compares a new sample with each fold's by its own model).
    A mean of probabilities is less sure than its models, and has seen all samples, so that no temperature is fitted.
    """
    task = folds[0][0].task
    if task.conformal is None:
        return {}
    parts = [_plain_outputs(predictor, split) for predictor, split in folds]
    output, target = (torch.cat(each) for each in zip(*parts, strict=True))
    is_mean = len(folds) > 1
    temperature = 1.0 if is_mean and task.temperature is None else task.fit_temperature(output, target)
    scores = task.conformal.scores(output if temperature == 1 else output / temperature, target)
    if scores.isnan().all(1).any():  # a step of a forecast that was never measured
        return {}
    return {"temperature": temperature, **Calibration.of(scores).to_json()}


def _plain_outputs(predictor: "Predictor", split: Split) -> tuple[Tensor, Tensor]:
    """A model's outputs and the targets of a split, (n, ...) each, on the CPU; of at most MOST_SAMPLES. Its temperature
    is 1 from now on."""
    predictor.model.temperature = 1.0
    n: int = len(split)  # type: ignore[arg-type]
    part = split if n <= MOST_SAMPLES else Subset(split, torch.linspace(0, n - 1, MOST_SAMPLES).long().tolist())
    answers = [(predictor.carry(batch)[0].cpu(), batch["target"].cpu()) for batch in batches(part)]
    found, targets = (torch.cat(each) for each in zip(*answers, strict=True))
    return found, targets
