"""A training step in the zoo's engine, against a hand-written loop and against Lightning's defaults.

All features of the zoo are on: metrics, checkpoints, progress, metrics.csv. The hand-written loop trains the same
network on the same tensors with the same batches, threads, precision, optimiser and malloc settings, and does nothing
else. "Steps" is the time from the start of an epoch to its validation, per step. "Whole" is the time of the whole fit,
with validation and checkpoints, per step. "One by one" is the zoo with a callback that follows every batch, so that
short steps are not grouped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks._measure import Measure, in_turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmarks._case import Case
    from benchmarks._trainings import Times

STEPS, WHOLE, MEMORY = "steps", "whole", "memory"
REFERENCES = HAND, ALONE, LIGHTNING = "by hand", "one by one", "Lightning's defaults"


def measure() -> Iterator[Measure]:
    from benchmarks._cases import first, image_case, sequence_case, table_case
    from zoo.data import load_data

    yield from compare(table_case(), 1.25)
    yield from compare(image_case("cnn/small", first(load_data("mnist"), 25_600)), 1.05)
    yield from compare(sequence_case("rnn/lstm", load_data("japanese_vowels")), 1.2)


def compare(case: "Case", goal: float, n_rounds: int = 3) -> Iterator[Measure]:
    """Measure one case; `goal` is for its steps against the hand-written loop."""
    from benchmarks._trainings import Follower, by_hand, defaults, ours

    for train in (ours, defaults, by_hand):
        train(_shortened(case))
    several, hand = in_turn(
        lambda: (ours(case), ours(case, Follower()), defaults(case)), lambda: by_hand(case), n_rounds
    )
    zoo, alone, lightning = ([times[place] for times in several] for place in (0, 1, 2))
    for name, of, unit in (
        (STEPS, lambda times: [1e3 * value / case.n_steps for value in times.settled], "ms"),
        (WHOLE, lambda times: [1e3 * times.fit / case.n_steps / case.n_epochs], "ms"),
        (MEMORY, lambda times: [times.memory] * (times.memory > 0), "MiB"),
    ):
        for other, reference in zip(REFERENCES, (hand, alone, lightning), strict=True):
            values, others = _all(zoo, of), _all(reference, of)
            if values:
                aim = goal if (name, other) == (STEPS, HAND) else None
                yield Measure(f"{case.name}, {name}: {other}", values, others, unit, aim)


def _shortened(case: "Case") -> "Case":
    return replace(case, config={**case.config, "trainer": {**case.config["trainer"], "max_epochs": 1}})


def _all(several: Sequence["Times"], of: Callable[["Times"], list[float]]) -> list[float]:
    return [value for times in several for value in of(times)]


def draw(figure: "Figure", measures: Sequence[Measure]) -> None:
    """Draw four bars per case: steps by hand, in the zoo, in the zoo one by one, and with Lightning's defaults."""
    from zoo.core.drawing import BLUE, INK, ORANGE

    figure.set_size_inches(6.4, 3.4)
    axes = figure.add_subplot()
    rows = {measure.name: measure.row for measure in measures}
    cases = [name.removesuffix(f", {STEPS}: {HAND}") for name in rows if name.endswith(f", {STEPS}: {HAND}")]
    hand, alone, lightning = ([rows[f"{case}, {STEPS}: {other}"] for case in cases] for other in REFERENCES)
    bars: Any = (
        (HAND, [row["reference"] for row in hand], {"color": INK, "alpha": 0.3}),
        ("zoo", [row["ours"] for row in hand], {"color": BLUE}),
        (f"zoo, {ALONE}", [row["reference"] for row in alone], {"color": BLUE, "alpha": 0.5}),
        (LIGHTNING, [row["reference"] for row in lightning], {"color": ORANGE}),
    )
    for place, (label, values, style) in enumerate(bars):
        drawn = axes.barh([n + 0.2 * (place - 1.5) for n in range(len(cases))], values, 0.18, label=label, **style)
        axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.set_yticks(range(len(cases)), cases)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(xlabel="milliseconds a step")
    axes.legend()
