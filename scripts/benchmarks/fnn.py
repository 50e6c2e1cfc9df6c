"""Feedforward networks: the zoo's default and other libraries' models of tables, on the same splits.

Each model is fitted with its own defaults. LightGBM and XGBoost take at most 2,000 trees and stop 50 after the best on
the validation split; CatBoost, scikit-learn's trees and the networks choose by that split too; linear models and SVC
are fitted to its rows as well, so they have no validation score. RealMLP-TD and TabM-D are those of pytabkit. The
others are fitted before and after the zoo's, with as many threads; seconds are medians. A score is the mean ± the
standard deviation over the seeds: three, or one for more than 10,000 training rows, unless the column says otherwise.
Parameters of trees are leaves.

The first rows compare throughput with a hand-written network on 50,000 rows of 30 numbers, and the time to answer raw
rows with its limit. Predictions in the second table are of the test split. Beside the zoo's own data sets it has each
.csv file of $ZOO_DATA/tables.
"""

import math
import os
import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._measure import Measure, against_target, timed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from benchmarks._comparison import Comparison
    from benchmarks._results import Results

OURS = ("fnn", "fnn/mlp")  # models of the zoo, the family's default first
WIDTHS = ((30, 10), (30, 128, 128, 10), (30, 512, 512, 512, 10))
SMALL = ("breast_cancer", "wine", "diabetes", "digits")
SETS = (*SMALL, "california", "adult")
TARGETS = {"abalone": "rings", "mpg": "mpg", "titanic": "survived"}  # of other tables the last column
IGNORED = {"titanic": "alive"}  # says in words what the target says
LARGE = 10_000  # training rows from which there is one seed
LIMITS = {1: ("ms", 1.0, 1e3), 100_000: ("s", 1.0, 1.0)}  # rows: unit and limit of the time to answer, units a second
WORST = -10  # percent that the picture shows
GOALS = Path(__file__).with_name("fnn_goals.md")


def measure(
    results: Path | None = None, minutes: float = math.inf, only: str = "*"
) -> Iterator["Measure | Comparison"]:
    """Measure what `results`, a file, does not have yet."""
    from benchmarks._cases import table_case
    from benchmarks._results import Results
    from benchmarks._throughput import throughput

    kept = Results(results, minutes, only)
    for widths in WIDTHS:
        name = "-".join(map(str, widths))
        yield from kept.measures(name, lambda: throughput(table_case(widths, n_epochs=3)))  # noqa: B023
    for name, words in data_sets().items():
        if name in ("california", "credit-g"):  # numbers, and mixed columns
            yield from kept.measures(name, lambda: speed(name, words))  # noqa: B023
    for name, words in data_sets().items():
        yield from compared(name, words, kept)


def data_sets() -> dict[str, list[str]]:
    """The settings that name each data set: the zoo's, and the tables in $ZOO_DATA/tables."""
    files = sorted(Path(os.environ.get("ZOO_DATA", "data"), "tables").glob("*.csv"))
    return {name: [f"data={name}"] for name in SETS} | {file.stem: of_file(file) for file in files}


def of_file(file: Path) -> list[str]:
    """The settings that name a table."""
    target = TARGETS.get(file.stem) or file.open().readline().strip().split(",")[-1]
    ignored = [f"data.ignore=[{IGNORED[file.stem]}]"] if file.stem in IGNORED else []
    return ["data=csv", f"data.path={file}", f"data.target={target}", *ignored]


def compared(name: str, words: Sequence[str], results: "Results") -> list["Comparison"]:
    """Compare all models on a data set."""
    from benchmarks._comparison import compare, splits_of
    from benchmarks._peers import CLASSIC, PEERS

    splits = splits_of(words)
    n: Any = len(splits.train)  # type: ignore[arg-type]
    peers = {**PEERS, **CLASSIC} if name in SMALL else PEERS
    return compare(words, f"{name}, {n:,} rows", OURS, peers, 1 if n > LARGE else 3, results)


def speed(name: str, words: Sequence[str], n_rounds: int = 5) -> Iterator[Measure]:
    """Measure how long the default takes to answer raw rows: it is trained for an epoch, which is as fast."""
    from benchmarks._comparison import quiet, train

    with train(OURS[0], *words, "trainer.max_epochs=1") as result:
        predictor = result.predictor
    for n, (unit, limit, per_second) in LIMITS.items():
        raw = raw_rows(words, n)
        rows: Any = raw.iloc[0].to_dict() if n == 1 else raw
        with quiet():
            taken = timed(lambda: predictor.predict(rows), 50 if n == 1 else n_rounds)  # noqa: B023
        title = f"model={OURS[0]} on {name}, {n:,} raw row{'s' * (n > 1)} answered"
        yield against_target(title, [per_second * one for one in taken], unit, limit)


def raw_rows(words: Sequence[str], n: int) -> "pd.DataFrame":
    """Return `n` rows as a user has them, repeated if there are fewer."""
    import pandas as pd

    from benchmarks._comparison import splits_of

    settings = dict(word.split("=", 1) for word in words)
    if "data.path" in settings:
        frame = pd.read_csv(settings["data.path"]).drop(columns=settings["data.target"])
    else:
        splits: Any = splits_of(words)
        frame = pd.DataFrame(splits.test.columns["numeric"].numpy(), columns=splits.spec.column_names)
    return frame.iloc[[i % len(frame) for i in range(n)]].reset_index(drop=True)


def draw(figure: "Figure", measures: Sequence["Measure | Comparison"]) -> None:
    """Plot each model's score on each data set, relative to the best of the others, over seconds of fitting."""
    from matplotlib.ticker import StrMethodFormatter

    from zoo.core.drawing import BLUE, INK, ORANGE

    figure.set_size_inches(9, 4.6)
    axes = figure.add_subplot()
    points = relative_scores(comparisons(measures))
    colours = dict(zip(OURS, (BLUE, ORANGE), strict=False))
    for place, (model, of_model) in enumerate(points.items()):
        marker = "o" if model in colours else "v^<>xPDs*d1"[place % 11]
        label = f"{model}, median {statistics.median(score for _, score in of_model):+.1f} %"
        seconds, scores = zip(*((fit, max(score, WORST)) for fit, score in of_model), strict=True)
        axes.scatter(seconds, scores, s=28, c=colours.get(model, INK), alpha=0.7, marker=marker, label=label)
    axes.axhline(0, linewidth=0.8, alpha=0.5)
    axes.set(xscale="log", xlabel="seconds of fitting", ylabel="percent better than the best of the others")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_title(f"a point for each data set; {WORST} % and worse at the lower edge", fontsize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)


def comparisons(measures: Sequence["Measure | Comparison"]) -> list["Comparison"]:
    """The rows of models that were fitted."""
    from benchmarks._comparison import Comparison

    return [one for one in measures if isinstance(one, Comparison) and one.outcomes and one.fit is not None]


def relative_scores(rows: Sequence["Comparison"]) -> dict[str, list[tuple[float, float]]]:
    """For each model its seconds of fitting, and by how many percent its accuracy is higher, or its error lower, than
    the best of the other libraries' on the same data."""
    points: dict[str, list[tuple[float, float]]] = {}
    for _, group in groupby(rows, lambda row: row.data):
        of_data = list(group)
        others = [row.test for row in of_data if row.model not in OURS]
        for row in of_data if others else ():
            ratio = row.test / max(others) if row.score == "accuracy" else min(others) / row.test
            points.setdefault(row.model, []).append((row.fit or 0.0, 100 * (ratio - 1)))
    return points


def after(measures: Sequence["Measure | Comparison"]) -> str:
    """Count the data sets where the default is as good as the trees, and add what was tried for missed goals."""
    rows = [row for row in comparisons(measures) if row.model == OURS[0] and row.note]
    worse = [row.data.partition(",")[0] for row in rows if row.note == "no"]
    slowest = max((row.fit or 0.0 for row in rows), default=0.0)
    n, but = len(rows), f", not on {', '.join(worse)}" if worse else ""
    return (
        f"`model={OURS[0]}` is at least as good as the better of LightGBM and CatBoost on {n - len(worse)} of {n} data "
        f"sets{but}. Its longest fit took {slowest:.0f} s.\n\n{GOALS.read_text()}"
    )
