"""Feedforward networks: the zoo's default and other libraries' models over 10 x 5 folds of small tables.

Five folds, ten times with another random order ($ZOO_REPEATS sets another number; the table says how many folds were
measured): each tests a model that is fitted to the four others, and all models have the same. Of the four folds a fifth
of the rows is for validation; models that do not stop early are fitted to those rows as well. `p` is that of the
difference of the folds' scores to the zoo's, two-sided, by a paired t-test whose variance is corrected for the training
sets' overlap (C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003, section 3). A
difference is significant below 5 %.
"""

import math
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks._peers import Peer
    from benchmarks._results import Results

OURS = "fnn"
DATA = ("breast_cancer", "wine", "diabetes", "digits")
N_FOLDS, N_REPEATS, LEVEL = 5, 10, 0.05


@dataclass(frozen=True)
class Paired:
    """A row of the table: a model beside the zoo's, over the same folds.

    Args:
        data: the data set.
        model: its name.
        score: "accuracy", or "rmse" where less is better.
        scores: on each fold.
        ours: those of the zoo's model.
        seconds: of fitting, in the mean.
        note: why it was not run.
    """

    data: str
    model: str
    score: str
    scores: Sequence[float] = ()
    ours: Sequence[float] = ()
    seconds: float | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.model} on {self.data}"

    @property
    def row(self) -> dict[str, Any]:
        """What the table shows, as plain values."""
        keys = ("data", "model", "score", "folds", "mean", "deviation", "fit s", "zoo better by", "p", "zoo is")
        if not self.scores:
            return dict(zip(keys, (self.data, self.model, self.score, None, *[None] * 5, self.note), strict=True))
        sign = 1 if self.score == "accuracy" else -1
        better = [sign * (ours - other) for ours, other in zip(self.ours, self.scores, strict=True)]
        mean, p = statistics.fmean(better), corrected_t_test(better)
        word = "not different" if p >= LEVEL else "better" if mean > 0 else "worse"
        scores = statistics.fmean(self.scores), statistics.stdev(self.scores)
        against = (None, None, "") if self.model == OURS else (mean, p, word)
        cells = self.data, self.model, self.score, len(self.scores), *scores, self.seconds, *against
        return dict(zip(keys, cells, strict=True))

    @property
    def cells(self) -> list[str]:
        """The row as text."""
        values = self.row.values()
        return [f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value) for value in values]


def measure(results: Path | None = None, minutes: float = math.inf, only: str = "*") -> Iterator[Paired]:
    """Measure what `results`, a file, does not have yet."""
    from benchmarks._peers import CLASSIC, PEERS
    from benchmarks._results import Results

    kept, peers = Results(results, minutes, only), {**PEERS, **CLASSIC}
    for name in DATA:
        yield from over_folds(name, peers, int(os.environ.get("ZOO_REPEATS", N_REPEATS)), kept)


def over_folds(data: str, peers: Mapping[str, "Peer"], n_repeats: int, results: "Results") -> list[Paired]:
    """Fit all models to each of the folds, in turn, and return a row of each, over the folds that it and the zoo's
    were fitted to."""
    from benchmarks._comparison import fit_ours, fit_peer, splits_of
    from benchmarks._peers import Table

    reasons: dict[str, str] = {}
    for repeat, fold in product(range(n_repeats), range(N_FOLDS)):
        words, number = [f"data={data}", f"data.fold={fold}", f"data.split_seed={repeat}"], N_FOLDS * repeat + fold
        splits = splits_of(words)
        table = Table.of(splits)
        results.get(data, OURS, number, lambda: asdict(fit_ours(OURS, words, splits, repeat)))  # noqa: B023
        for name, peer in peers.items():
            if peer.task in (None, splits.spec.task) and not reasons.setdefault(name, peer.reason(table)):
                results.get(data, name, number, lambda: asdict(fit_peer(peer, table, repeat)))  # noqa: B023
    score = "accuracy" if table.has_classes else "rmse"
    ours = {one["seed"]: one["test"] for one in results.of(data, OURS)}
    rows = []
    for name in (OURS, *reasons):
        folds = [one for one in results.of(data, name) if one["seed"] in ours]
        if len(folds) > 1 and not reasons.get(name):
            scores, seconds = [one["test"] for one in folds], statistics.fmean(one["fit"] or 0.0 for one in folds)
            rows.append(Paired(data, name, score, scores, [ours[one["seed"]] for one in folds], seconds))
        else:
            rows.append(Paired(data, name, score, note=reasons.get(name) or "not run: there was no time"))
    return rows


def corrected_t_test(differences: Sequence[float], n_folds: int = N_FOLDS) -> float:
    """The two-sided p of paired differences over the folds of a repeated cross-validation: their variance is not
    divided by their number n, but multiplied by 1/n + n_test / n_train."""
    from scipy.stats import t

    mean, n = statistics.fmean(differences), len(differences)
    variance = statistics.variance(differences) * (1 / n + 1 / (n_folds - 1))
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / math.sqrt(variance), n - 1))
