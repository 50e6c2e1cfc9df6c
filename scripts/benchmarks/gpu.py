"""The engine on a GPU: steps beside a hand-written loop, eager and as CUDA graphs, with the data on the GPU; and the
latency of pretrained files."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks._measure import Measure, in_turn

if TYPE_CHECKING:
    from benchmarks._case import Case

STEPS, GRAPHS = 1.1, 0.5  # goals: an epoch of steps, and the tiny network's by graphs, in times of the eager loop's


def measure(tiny: bool = False) -> Iterator[Measure]:
    """Measure on the GPU, or without one on the CPU; `tiny` in seconds."""
    import torch

    from benchmarks._cases import first, image_case, sequence_case, table_case
    from benchmarks.latency import NAMES, prediction
    from zoo.data import load_data

    device = "cuda" if torch.cuda.is_available() else "cpu"
    n, n_rounds = (64, 1) if tiny else (25_600, 3)
    images = first(load_data("mnist5k"), min(n, 4_000))
    cases = (
        (table_case(n=2 * n, n_epochs=3), GRAPHS),
        (image_case("cnn/small", images, n_epochs=2 if tiny else 6), None),
        (sequence_case("rnn/lstm", first(load_data("japanese_vowels"), min(n, 270)), n_epochs=2 if tiny else 20), None),
    )
    for case, _ in cases:
        yield steps(case, "all", STEPS, n_rounds)
    for name in NAMES[:1] if tiny else NAMES:
        yield prediction(name, 1, 2 if tiny else 100, device)
    for case, goal in cases:
        yield steps(case, ["all", "cuda_graphs"], goal, n_rounds)


def steps(case: "Case", tricks: Any, goal: float | None, n_rounds: int) -> Measure:
    """Milliseconds of a step, from the start of an epoch to its validation, against the hand-written loop."""
    from benchmarks._trainings import by_hand, ours

    tried = replace(case, config={**case.config, "trainer": {**case.config["trainer"], "tricks": tricks}})
    zoo, hand = in_turn(lambda: ours(tried), lambda: by_hand(case), n_rounds)
    values, others = ([1e3 * value / case.n_steps for one in many for value in one.settled] for many in (zoo, hand))
    how = "as CUDA graphs" if "cuda_graphs" in tricks else "eager"
    return Measure(f"{case.name}, step, {how}: eager by hand", values, others, "ms", goal)
