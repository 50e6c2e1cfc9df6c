"""Recurrent networks: the zoo's default and other models of sequences and texts, on the same splits.

Scores are of the test split: the mean ± the standard deviation over the seeds. Of `fsdd, unknown speaker` a seed is
the speaker left out, of mnist1d also that of the data, of the film reviews one of five folds; elsewhere the zoo's
networks beside its default have one seed. Nothing is chosen by the test split: networks keep the epoch that is best on
the validation split, and models that choose nothing by it are fitted to it as well. Each has its library's defaults.
`nn.LSTM` is one layer of 128 units in a hand-written loop; it and the zoo's networks beside its default train for at
most three minutes. LITE and InceptionTime of aeon are not here, because they need TensorFlow; `cnn/inception_time` is
the zoo's. Seconds are of the processor, on one thread.

The first rows compare throughput with PyTorch's layers on packed sequences (JapaneseVowels, in both directions, max
pooling). The last table has the milliseconds of a layer of 128 units, forward and backward, for 32 sequences of each
length.
"""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._measure import Measure
from benchmarks._results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmarks._comparison import Comparison, Outcome
    from benchmarks._sequence_tasks import Task
    from benchmarks._step_times import StepTimes

MEAN = "mean of the ten sets of the archive"
OURS = "rnn"  # the family's default
GOALS = Path(__file__).with_name("rnn_goals.md")
WORST = -30  # percent that the picture shows
SCORES = {"f1": "macro-F1", "mse_scaled": "mse"}  # by metric, in the table


def measure(
    results: Path | None = None, minutes: float = math.inf, only: str = "*"
) -> Iterator["Measure | Comparison | StepTimes"]:
    """Measure what `results`, a file, does not have yet."""
    from benchmarks._sequence_tasks import all_tasks

    kept = Results(results, minutes, only)
    yield from throughputs(kept)
    yield from compared(all_tasks(), kept)
    yield from step_times(kept)


def throughputs(results: Results) -> Iterator[Measure]:
    """Training and inference on short sequences, against torch's layers."""
    from benchmarks._cases import Packed, sequence_case
    from benchmarks._throughput import throughput
    from zoo.data import load_data

    def measured(name: str) -> Iterator[Measure]:
        return throughput(sequence_case(name, load_data("japanese_vowels"), by_hand=Packed))

    for name in ("rnn/elman", "rnn/gru", "rnn/lstm"):
        yield from results.measures(name, lambda: measured(name))  # noqa: B023


def compared(tasks: Sequence["Task"], results: Results) -> list["Comparison"]:
    """A row of every model on every data set and metric. Models are measured one after the other on all data sets, the
    quick ones first."""
    from benchmarks._sequence_peers import PEERS

    for name in PEERS:
        for task in tasks:
            measure_peer(task, name, results)
    for seed in range(max(task.n_seeds for task in tasks)):
        for task in tasks:
            for model in task.models(seed):
                results.get(task.name, model, seed, lambda: fit_ours(model, task.words(seed), seed))  # noqa: B023
    rows = [row for task in tasks for row in rows_of(task, results)]
    return rows + mean_rows(rows)


def measure_peer(task: "Task", name: str, results: Results) -> None:
    """Fit a model of another library with each seed, if it is for such data."""
    from benchmarks._sequence_peers import PEERS, fit_and_score

    peer = PEERS[name]
    if peer.suits(task.spec) and not peer.reason:
        for seed in range(task.n_seeds if task.folds else min(task.n_seeds, peer.n_seeds)):
            splits = lambda: task.splits(seed, whole=peer.whole)  # noqa: B023, E731
            results.get(task.name, name, seed, lambda: fit_and_score(peer, splits(), seed))  # noqa: B023


def fit_ours(model: str, words: Sequence[str], seed: int) -> dict[str, Any]:
    """Train a model of the zoo by its defaults, one beside the family's default for a limited time, and return its
    metrics and seconds."""
    from benchmarks._comparison import train

    wall, cpu = time.perf_counter(), time.process_time()
    with train(model, *words, f"seed={seed}", *([] if model == OURS else ["budget=3min"])) as result:
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)  # of the processor that it had
        metrics = {split: dict(result[split]) for split in ("test", "val")}
        return {**metrics, "fit": share * result["seconds"]["fit"], "n_parameters": result["n_parameters"]}


def rows_of(task: "Task", results: Results) -> list["Comparison"]:
    """The rows of a data set: of each metric the other libraries' models, then the zoo's with its goal; those that
    there was no time for share a row."""
    from benchmarks._comparison import Comparison
    from benchmarks._sequence_peers import PEERS

    models = [*(name for name, peer in PEERS.items() if peer.suits(task.spec)), *task.ours]
    reasons = {model: PEERS[model].reason for model in models if model in PEERS and PEERS[model].reason}
    found = {model: results.of(task.name, model) for model in models}
    late = ", ".join(model for model in models if not found[model] and model not in reasons)
    rows = []
    for metric, goal in task.goals.items():
        row: Any = partial(Comparison, task.name, score=SCORES.get(metric, metric), heading="goal")
        outcomes = {model: outcomes_of(found[model], metric) for model in models}
        fitted = [row(model, outcomes=of_model) for model, of_model in outcomes.items() if of_model]
        goal = goal_beside(task.beside, fitted) if goal is None else goal
        rows += [with_goal(one, goal) for one in fitted]
        rows += [row(model, note=reason) for model, reason in reasons.items() if not found[model]]
        rows += [row(late, note="not run: there was no time")] if late else []
    return rows


def outcomes_of(found: Sequence[dict[str, Any]], metric: str) -> list["Outcome"]:
    """What was found with each seed, of those that have the metric."""
    from benchmarks._comparison import Outcome

    rest = "fit", "predict", "n_parameters"
    known = [one for one in found if metric in one["test"]]
    return [Outcome(one["test"][metric], one["val"].get(metric), *map(one.get, rest)) for one in known]


def goal_beside(beside: tuple[str, float], rows: Sequence["Comparison"]) -> float | None:
    """The best score of the models whose names fit a pattern, less a margin; None if there is none."""
    pattern, margin = beside
    scores = [row.test for row in rows if row.outcomes and fnmatch(row.model, pattern)]
    return max(scores) - margin if scores else None


def with_goal(row: "Comparison", goal: float | None) -> "Comparison":
    """Note whether a row of the zoo's default reached the goal."""
    from benchmarks._sequence_tasks import goal_note

    if row.model != OURS or goal is None or not row.outcomes:
        return row
    what, reached = goal_note(row.score, goal, row.test)
    return replace(row, note=f"{what}: {'yes' if reached[0] else 'no'}")


def mean_rows(rows: Sequence["Comparison"]) -> list["Comparison"]:
    """The mean over the sets of the archive, of each model that was run on all of them; the goal is MiniRocket's."""
    from benchmarks._comparison import Comparison, Outcome
    from benchmarks._sequence_tasks import ARCHIVE

    of_archive = [row for row in rows if row.data in ARCHIVE and row.outcomes]
    means = []
    for model in dict.fromkeys(row.model for row in of_archive):
        seeds = list(zip(*(row.outcomes for row in of_archive if row.model == model), strict=False))
        if sum(row.model == model for row in of_archive) == len(ARCHIVE):
            fits = [sum(one.fit for one in seed) if all(one.fit for one in seed) else None for seed in seeds]
            scores = [statistics.fmean(one.test for one in seed) for seed in seeds]
            outcomes = [Outcome(*pair) for pair in zip(scores, [None] * len(fits), fits, strict=True)]
            means.append(Comparison(MEAN, model, "accuracy", outcomes, heading="goal"))
    return [with_goal(row, goal_beside(("MiniRocket", 0.0), means)) for row in means]


def step_times(results: Results) -> Iterator["StepTimes"]:
    """The milliseconds of each layer by length."""
    from benchmarks._step_times import LAYERS, LENGTHS, StepTimes, step_time
    from zoo.models import MODELS

    for model in LAYERS:
        times: dict[int, float] = {}
        for length in LENGTHS if model in MODELS.names() else ():
            measured = lambda: {"milliseconds": step_time(model, length)}  # noqa: B023, E731
            known = results.get(f"{length} steps", model, 0, measured)
            times |= {length: known["milliseconds"]} if known else {}
        if len(times) == len(LENGTHS):
            yield StepTimes(model, times)


def draw(figure: "Figure", measures: Sequence["Measure | Comparison | StepTimes"]) -> None:
    """Plot each model's score on each data set, relative to the best of the others, over seconds of fitting; and the
    layers' times over the length."""
    from matplotlib.ticker import StrMethodFormatter

    from benchmarks._comparison import Comparison
    from benchmarks._step_times import StepTimes

    figure.set_size_inches(11, 4.6)
    scores, times = figure.subplots(1, 2, width_ratios=(3, 2))
    draw_scores(scores, [one for one in measures if isinstance(one, Comparison) and one.fit is not None])
    for one in measures:
        if isinstance(one, StepTimes):
            times.plot(list(one.milliseconds), list(one.milliseconds.values()), marker="o", label=one.model)
    times.set(xscale="log", yscale="log", xlabel="steps", ylabel="ms, forward and backward")
    times.set_title("a layer of 128 units, 32 sequences", fontsize=9)
    for axis in (scores.xaxis, times.xaxis, times.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    if times.lines:
        times.legend(fontsize=8)


def draw_scores(axes: "Axes", rows: Sequence["Comparison"]) -> None:
    """Plot each model's scores relative to the best of the others: the zoo's default in blue, its other networks in
    orange."""
    from benchmarks._sequence_peers import PEERS
    from zoo.core.drawing import BLUE, INK, ORANGE

    markers = {colour: cycle("o" if colour == BLUE else "v^<>xPDs*d1+234p") for colour in (BLUE, INK, ORANGE)}
    for model, points in relative_scores(rows).items():
        seconds, scores = zip(*((max(fit, 1e-2), max(score, WORST)) for fit, score in points), strict=True)
        colour = BLUE if model == OURS else INK if model in PEERS else ORANGE
        marker = next(markers[colour])
        label = f"{model}, median {statistics.median(score for _, score in points):+.1f} %"
        axes.scatter(seconds, scores, s=24, c=colour, alpha=0.7, marker=marker, label=label)
    axes.axhline(0, linewidth=0.8, alpha=0.5)
    axes.set(xscale="log", xlabel="seconds of fitting", ylabel="percent better than the best of the others")
    axes.set_title(f"a point for each data set; {WORST} % and worse at the lower edge", fontsize=9)
    if rows:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)


def relative_scores(rows: Sequence["Comparison"]) -> dict[str, list[tuple[float, float]]]:
    """For each model its seconds of fitting, and by how many percent its score is better than the best of the other
    libraries' on the same data."""
    from benchmarks._sequence_peers import PEERS
    from benchmarks._sequence_tasks import LESS_IS_BETTER

    best: dict[tuple[str, str], float] = {}
    for row in rows:
        key, sign = (row.data, row.score), -1 if row.score in LESS_IS_BETTER else 1
        if row.model in PEERS:
            best[key] = max(best.get(key, -float("inf")), sign * row.test)
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if (row.data, row.score) in best and row.data != MEAN:
            other = abs(best[row.data, row.score])
            ratio = other / row.test if row.score in LESS_IS_BETTER else row.test / other
            points.setdefault(row.model, []).append((row.fit or 0.0, 100 * (ratio - 1)))
    return points


def after(measures: Sequence["Measure | Comparison | StepTimes"]) -> str:
    """Count the goals that the default reached, and add the pretrained files and what was tried for missed goals."""
    from benchmarks._published import table_of_files
    from benchmarks._sequence_tasks import all_tasks

    noted = [one for one in measures if getattr(one, "model", "") == OURS and ": " in getattr(one, "note", "")]
    missed = [f"{one.data} ({one.score})" for one in noted if one.note.endswith("no")]  # type: ignore[union-attr]
    but = f"; missed: {', '.join(missed)}" if missed else ""
    return (
        f"`model={OURS}` reaches {len(noted) - len(missed)} of {len(noted)} goals{but}.\n\n"
        "## Pretrained files\n\nWith settings of their own, by their recipes, on the test split.\n\n"
        f"{table_of_files(all_tasks())}\n{GOALS.read_text()}"
    )
