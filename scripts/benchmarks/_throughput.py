"""Throughput in training and inference, for the suites of the three families."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks._measure import Measure, in_turn, seconds

if TYPE_CHECKING:
    from benchmarks._case import Case
    from benchmarks._trainings import Times


def throughput(case: "Case", n_rounds: int = 3) -> Iterator[Measure]:
    """Measure samples per second in training and inference, against the hand-written network."""
    from benchmarks._trainings import by_hand, ours

    zoo, hand = in_turn(lambda: ours(case), lambda: by_hand(case), n_rounds)
    yield Measure(f"{case.name}, training", rates(case, zoo), rates(case, hand), "samples/s")
    yield inference(case, n_rounds)


def rates(case: "Case", several: list["Times"]) -> list[float]:
    """Return the training samples per second of each epoch."""
    n = len(case.columns("train")[0])
    return [n / value for times in several for value in times.settled]


def inference(case: "Case", n_rounds: int = 3, n_most: int = 5000) -> Measure:
    """Measure inference samples per second in batches of 1,000 that are on the device."""
    import torch

    from benchmarks._case import zoo_module
    from zoo.inference.predictor import Predictor

    names = [*case.splits.spec.inputs]
    columns = [column[:n_most].to(case.device) for column in case.columns("train")[:-1]]
    predictor = Predictor(zoo_module(case).model_of(0), case.splits.spec, {}).to(case.device)
    network = case.by_hand().to(case.device).eval()

    @torch.inference_mode()
    def by_hand() -> None:
        for batch in zip(*(column.split(1000) for column in columns), strict=True):
            network(*batch)

    def ours() -> None:
        predictor.outputs(dict(zip(names, columns, strict=True)))

    for warm_up in (ours, by_hand):
        warm_up()
    zoo, hand = in_turn(lambda: seconds(ours), lambda: seconds(by_hand), n_rounds)
    n = len(columns[0])
    name = f"{case.name}, inference in batches of 1,000"
    return Measure(name, [n / value for value in zoo], [n / value for value in hand], "samples/s")
