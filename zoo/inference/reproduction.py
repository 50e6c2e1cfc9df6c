"""Compare new runs of a recipe with the card of its pretrained file."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from scipy.special import stdtrit

from zoo.core.run_folder import Run, finished_runs
from zoo.inference.ensembling import ensemble
from zoo.inference.pretrained import WEIGHTS
from zoo.inference.weights_file import read_tensors


@dataclass(frozen=True)
class Comparison:
    """One metric of a split: mean and standard deviation of a card's `n` runs, the value of the shipped file, and the
    mean of `n_now` new runs."""

    split: str
    metric: str
    mean: float
    std: float
    n: int
    file: float
    now: float
    n_now: int

    @property
    def difference(self) -> float:
        return self.now - self.mean

    @property
    def allowed(self) -> float:
        """The difference between the means that chance exceeds in one case of a hundred (Student's t). If the card has
        one run, or no deviation: 5 % of a loss, 1 % of other metrics."""
        if self.std == 0 or self.n < 2:
            return (0.05 if self.metric == "loss" else 0.01) * abs(self.mean)
        return float(stdtrit(self.n - 1, 0.995)) * self.std * math.sqrt(1 / self.n + 1 / self.n_now)

    @property
    def within(self) -> bool:
        return abs(self.difference) <= self.allowed


def finished_metrics(folder: Path, seeds: Sequence[int] | None = None) -> list[tuple[Run, dict[str, Any]]]:
    """The finished runs below a folder, each with its metrics; those with `seeds`, or all."""
    runs = [(run, run.read_metrics()) for run in finished_runs(folder)]
    return [(run, metrics) for run, metrics in runs if seeds is None or metrics["seed"] in seeds]


def compare(card: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    """Compare every metric of a card with the mean over new runs, given as what their metrics.json hold."""
    return [
        Comparison(
            split=split,
            metric=metric,
            mean=stated["mean"],
            std=stated["std"],
            n=stated["n"],
            file=card["file"][split][metric],
            now=statistics.fmean(run[split][metric] for run in runs),
            n_now=len(runs),
        )
        for split, metrics in card["metrics"].items()
        for metric, stated in metrics.items()
    ]


def compare_ensemble(card: Mapping[str, Any], runs: Sequence[Run], output: Path) -> list[Comparison]:
    """Compare every metric of an ensemble's file with those of the ensemble of new runs, written to `output`."""
    stated = {
        split: {metric: {"mean": value, "std": 0.0, "n": 1} for metric, value in card["file"][split].items()}
        for split in card["metrics"]
    }
    return compare({**card, "metrics": stated}, [ensemble([run.weights for run in runs], output)["metrics"]])


def compare_weights(name: str, run: Run) -> str:
    """Describe whether a run's tensors equal those of the pretrained file, bit for bit."""
    ours, published = (read_tensors(path)[0] for path in (run.weights, WEIGHTS / f"{name}.safetensors"))
    different = [
        key for key, value in published.items() if key not in ours or not torch.equal(ours[key].to(value.dtype), value)
    ]
    return f"{len(different)} of {len(published)} tensors differ from the file's" if different else "equal bit for bit"
