"""The choices of `auto` for a model on this machine, against PyTorch's default threads and 32 bits.

Milliseconds per training step. A choice should never be more than 5 % slower than the default.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks._measure import Measure, in_turn

if TYPE_CHECKING:
    from benchmarks._case import Case


def measure() -> Iterator[Measure]:
    from benchmarks._cases import first, image_case, random_sequences, sequence_case, table_case
    from zoo.data import load_data

    digits = load_data("mnist5k")
    for widths in ((30, 128, 128, 10), (30, 256, 256, 10), (30, 512, 512, 10), (30, 1024, 1024, 10)):
        yield compare(table_case(widths, n=10_000, n_epochs=3))
    for name in ("rnn/lstm", "rnn/gru"):
        yield compare(sequence_case(name, load_data("japanese_vowels"), n_epochs=6))
    yield compare(sequence_case("rnn/lstm", random_sequences(64, 300), n_epochs=3))
    for name, n in (("cnn/lenet5", 2560), ("cnn/small", 2560), ("cnn/resnet", 512)):
        yield compare(image_case(name, first(digits, n), n_epochs=3))


def compare(case: "Case", n_rounds: int = 3) -> Measure:
    """Measure one case; the row's name states the choices of `auto`."""
    import torch

    from benchmarks._trainings import ours

    chosen = case.config["trainer"]
    settings = {**chosen, "threads": torch.get_num_threads(), "precision": "32"}
    plain = replace(case, config={**case.config, "trainer": settings})
    runs = in_turn(lambda: ours(case), lambda: ours(plain), n_rounds)
    auto, reference = ([1e3 * value / case.n_steps for times in run for value in times.settled] for run in runs)
    label = f"{case.name}: threads {chosen['threads']}, precision {chosen['precision']}"
    return Measure(label, auto, reference, "ms", 1.05)
