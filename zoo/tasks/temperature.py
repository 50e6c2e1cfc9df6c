"""Temperature scaling: one number that divides a classifier's logits, so that its probabilities are neither too sure
nor too doubtful (C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, arXiv 1706.04599, section 4.2). No answer changes."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from zoo.tasks.page import Page

COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """The temperature of the lowest cross entropy; 1 where none is better.

    Deviation: one sample in n + 1 counts as any class, as in Platt's calibration of n samples: without it, samples
    that are all classified rightly would have the temperature 0.

    Args:
        logits: of held-out samples (n, n_classes).
        target: their classes (n,).
    """
    from scipy.optimize import minimize_scalar

    logits, smoothing = logits.double(), 1 / (len(target) + 1)

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(logits / math.exp(log_temperature), target, label_smoothing=smoothing))

    found = minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded")
    temperature = round(math.exp(found.x), 4)
    before, after = (float(F.cross_entropy(logits / one, target)) for one in (1.0, temperature))
    return temperature if after < before else 1.0


class Bin(NamedTuple):
    """Samples whose answers are about equally probable.

    Attributes:
        probability: of the answer, the mean.
        accuracy: share of right answers.
        share: of all samples.
    """

    probability: float
    accuracy: float
    share: float


def reliability(probabilities: Tensor, target: Tensor, n_bins: int = 15) -> list[Bin]:
    """Sort samples into bins of equal width by the probability of the answer; those without samples are left out.

    Args:
        probabilities: of the classes (n, n_classes).
        target: the true classes (n,).
        n_bins: from 0 to 1.
    """
    probability, answer = probabilities.double().max(1)
    right, index = (answer == target).double(), (probability * n_bins).ceil().clamp(1, n_bins)
    masks = [index == number for number in index.unique()]
    return [Bin(float(probability[one].mean()), float(right[one].mean()), float(one.double().mean())) for one in masks]


def calibration_error(bins: Iterable[Bin]) -> float:
    """The expected calibration error (section 2): how far accuracy and probability are apart in the mean."""
    return sum(one.share * abs(one.probability - one.accuracy) for one in bins)


def report_reliability(page: "Page", logits: Tensor, target: Tensor) -> None:
    """Add a section with the calibration error and the reliability diagram of the test split (n, n_classes), before and
    after the temperature."""
    found = {"without": logits * page.temperature, "with temperature": logits}
    bins = {name: reliability(one.float().softmax(1), target) for name, one in found.items()}
    if page.temperature == 1:
        bins = {"model": bins["without"]}
        what = "The logits are divided by no temperature."
    else:
        what = f"The logits are divided by a temperature of {page.temperature:.3g}, fitted to the validation split."
    losses = {name: float(F.cross_entropy(found.get(name, logits).float(), target)) for name in bins}
    rows = [(name, f"{calibration_error(one):.4f}", f"{losses[name]:.4f}") for name, one in bins.items()]
    lines = {name: [(one.probability, one.accuracy) for one in each] for name, each in bins.items()}
    page.section(
        "Reliability",
        f"{what} Of the answers with a probability of 0.8, 80% should be right: on the dashed line they are, below it "
        "the model is too sure. The expected calibration error is the mean distance from the line, over 15 bins.",
        page.table(("", "expected calibration error", "cross entropy"), rows),
        page.against_diagonal("probability of the answer", "share of right answers", lines),
    )
