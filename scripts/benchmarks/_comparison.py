"""The zoo's models and those of other libraries on the same splits of a table, side by side."""

import contextlib
import io
import statistics
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

import zoo
from benchmarks._measure import now, rounded, seconds
from benchmarks._peers import Peer, Table
from benchmarks._results import Results
from zoo.core.formatting import format_deviation, format_number
from zoo.data.module import load_section
from zoo.data.splits import Splits, read
from zoo.report.result import Result

TREES = ("LightGBM", "CatBoost")  # what the zoo's default is to match
QUICK = 10  # seconds of a fit that is measured once more after the zoo's


@dataclass(frozen=True)
class Outcome:
    """One fit of one model.

    Args:
        test: its score on the test split.
        val: on the validation split, if the model has not learnt from it.
        fit: seconds until it could answer.
        predict: seconds to answer for the test split.
        n_parameters: of trees, their leaves.
    """

    test: float
    val: float | None = None
    fit: float | None = None
    predict: float | None = None
    n_parameters: int | None = None

    def __post_init__(self) -> None:
        for name in ("test", "val"):  # the zoo's metrics are of 32 bits, and equal scores are to be equal
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(f"{value:.6g}"))


@dataclass(frozen=True)
class Comparison:
    """A row of the table: a model on a table of data.

    Args:
        data: what it learnt from.
        model: its name.
        score: such as "accuracy", or "rmse" where less is better.
        outcomes: of each seed; none if it was not run.
        again: further measures of the seconds.
        note: why it was not run, or whether it is as good as it is to be.
        heading: of the note's column.
    """

    data: str
    model: str
    score: str
    outcomes: Sequence[Outcome] = ()
    again: Sequence[Outcome] = ()
    note: str = ""
    heading: str = "as good as LightGBM and CatBoost"

    @property
    def name(self) -> str:
        return f"{self.model} on {self.data}"

    @property
    def test(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(one.test for one in self.outcomes)

    @property
    def fit(self) -> float | None:
        """The median of the seconds of fitting."""
        return _median([one.fit for one in (*self.outcomes, *self.again)])

    @property
    def row(self) -> dict[str, Any]:
        """What the table shows, as plain values."""
        return {
            "data": self.data,
            "model": self.model,
            "score": self.score,
            "test": _spread([one.test for one in self.outcomes]),
            "validation": _spread([one.val for one in self.outcomes]),
            "seeds": len(self.outcomes) or None,
            "fit s": self.fit,
            "predict s": _median([one.predict for one in (*self.outcomes, *self.again)]),
            "parameters": self.outcomes[0].n_parameters if self.outcomes else None,
            self.heading: self.note,
        }

    @property
    def cells(self) -> list[str]:
        """The row as text."""
        return [_text(value) for value in self.row.values()]


def compare(
    words: Sequence[str], data: str, ours: Sequence[str], peers: Mapping[str, Peer], n_seeds: int, results: Results
) -> list[Comparison]:
    """Fit all models with each seed, the others before and after the zoo's, and return a row of each.

    Args:
        words: settings that name the data, such as "data=wine".
        data: its name in the table.
        ours: models of the zoo.
        peers: those of other libraries.
        n_seeds: to fit with.
        results: what is known already.
    """
    splits = splits_of(words)
    table = Table.of(splits)
    score = "accuracy" if table.has_classes else "rmse"
    peers = {name: peer for name, peer in peers.items() if peer.task in (None, splits.spec.task)}
    reasons = {name: reason for name, peer in peers.items() if (reason := peer.reason(table))}
    run = {name: peer for name, peer in peers.items() if name not in reasons}
    for seed in range(n_seeds):
        for name, peer in run.items():
            results.get(data, name, seed, lambda: asdict(fit_peer(peer, table, seed)))  # noqa: B023
        for name in ours:
            results.get(data, name, seed, lambda: asdict(fit_ours(name, words, splits, seed)))  # noqa: B023
    outcomes = {name: outcomes_of(results.of(data, name)) for name in (*run, *ours)}
    for name, found in outcomes.items():
        if name in run and found and (found[-1].fit or 0) < QUICK:
            results.get(f"{data}, again", name, 0, lambda: asdict(fit_peer(run[name], table, 0)))  # noqa: B023
    again = {name: outcomes_of(results.of(f"{data}, again", name)) for name in run}
    rows = [Comparison(data, name, score, found, again.get(name, [])) for name, found in outcomes.items() if found]
    rows = [replace(row, note=verdict(row, rows)) if row.model in ours else row for row in rows]
    reasons |= {name: "not run: there was no time" for name, found in outcomes.items() if not found}
    missing = [Comparison(data, name, score, note=reason) for name, reason in reasons.items()]
    return [Comparison(data, "naive answer", score, [naive(table)]), *rows, *missing]


def outcomes_of(found: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Outcomes that were kept as plain values."""
    return [Outcome(**{field.name: one[field.name] for field in fields(Outcome)}) for one in found]


def splits_of(words: Sequence[str]) -> Splits:
    """Load the splits that a training with these settings has."""
    with quiet():
        return load_section(zoo.config("fnn", *words)["data"])


def fit_ours(model: str, words: Sequence[str], splits: Splits, seed: int) -> Outcome:
    """Train a model of the zoo by its defaults, and measure it."""
    with train(model, *words, f"seed={seed}") as result:
        score = "accuracy" if splits.spec.task == "classification" else "rmse"
        test = read(splits.test, range(len(splits.test)))  # type: ignore[arg-type]
        predict = seconds(lambda: result.predictor.outputs({name: test[name] for name in splits.spec.inputs}))
        fit, n_parameters = result["seconds"]["fit"], result["n_parameters"]
        return Outcome(result["test"][score], result["val"][score], fit, predict, n_parameters)


@contextlib.contextmanager
def train(*words: str) -> Iterator[Result]:
    """Train as `words` say, without output and baselines, in a folder that is deleted in the end."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        yield zoo.train(zoo.config(*words, "baseline=false"), f"{folder}/run")


def fit_peer(peer: Peer, table: Table, seed: int) -> Outcome:
    """Fit a model of another library, and measure it."""
    with quiet():
        start = now()
        fitted = peer.fit(table, seed)
        fit = now() - start
        predicted = fitted.predict(table.test.x)
        predict = now() - start - fit
        val = table.score(fitted.predict(table.val.x), table.val) if fitted.selects else None
    return Outcome(table.score(predicted, table.test), val, fit, predict, fitted.n_parameters)


def naive(table: Table) -> Outcome:
    """Answer with the most frequent class, or the mean."""
    y = table.train.y
    constant = np.bincount(y).argmax() if table.has_classes else y.mean()
    val, test = (table.score(np.full(len(rows.y), constant), rows) for rows in (table.val, table.test))
    return Outcome(test, val)


def verdict(row: Comparison, rows: Sequence[Comparison]) -> str:
    """Whether the mean test score is at least that of the better of LightGBM and CatBoost."""
    trees = [other.test for other in rows if other.model in TREES]
    if not trees:
        return ""
    return "yes" if (row.test >= max(trees) if row.score == "accuracy" else row.test <= min(trees)) else "no"


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return rounded(statistics.median(known)) if known else None


def _spread(values: Sequence[float | None]) -> str | None:
    """The mean, and the standard deviation of several."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    spread = f" ± {format_deviation(statistics.stdev(known))}" if len(known) > 1 else ""
    return f"{format_number(statistics.fmean(known))}{spread}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return format_number(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int) else value


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress output and warnings."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield
