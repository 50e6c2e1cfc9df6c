"""How soon a pretrained file answers: from `zoo.load` to its first answer in a fresh process, then one raw sample and a
thousand at a time, against the network's own forward on tensors that are ready."""

import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks._measure import Measure, aimed, in_turn, seconds

if TYPE_CHECKING:
    from zoo.data.splits import Batch

NAMES = ("fnn/mlp.breast_cancer", "cnn/small.mnist5k", "rnn/lstm.japanese_vowels")
FIRST_ANSWER = """
import sys, time
import numpy, torch, lightning, zoo.inference.predictor
described = next(iter(zoo.inference.pretrained.load_card(sys.argv[1])["spec"]["inputs"].values()))
raw = numpy.zeros([size or 20 for size in described["shape"]], described["dtype"])
start = time.perf_counter()
zoo.load(sys.argv[1]).predict(raw)
print(time.perf_counter() - start)
"""


def measure() -> Iterator[Measure]:
    for name in NAMES:
        yield aimed(f"{name}, load and first answer, imports done", [first_answer(name) for _ in range(3)], "s", 1.0)
        for n, n_rounds in ((1, 200), (1000, 10)):
            yield answer(name, n, n_rounds)


def first_answer(name: str) -> float:
    """Seconds from loading to an answer, in a fresh process."""
    command = [sys.executable, "-c", FIRST_ANSWER, name]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def answer(name: str, n: int, n_rounds: int) -> Measure:
    """Milliseconds of `predict` for `n` raw samples together, against the network's forward."""
    import torch

    import zoo

    predictor = zoo.load(name)
    batch, raw = samples(name, n)
    model: Any = predictor.model
    ready = model.preprocess({name: batch[name] for name in predictor.spec.inputs})

    @torch.inference_mode()
    def forward() -> None:
        model.network(**ready)

    predictor.predict(raw), forward()
    ours, bare = in_turn(lambda: seconds(lambda: predictor.predict(raw)), lambda: seconds(forward), n_rounds)
    label = f"{name}, {n:,} raw sample{'s' * (n > 1)}: forward alone"
    return Measure(label, [1e3 * value for value in ours], [1e3 * value for value in bare], "ms")


def samples(name: str, n: int) -> tuple["Batch", Any]:
    """Test samples of a pretrained file's data, again and again up to `n`: as a batch, and as a user has them."""
    import zoo
    from zoo.inference.pretrained import load_card

    spec = load_card(name)["spec"]
    test: Any = zoo.load_data(spec["name"]).test
    batch = test.__getitems__([i % len(test) for i in range(n)])
    raw = batch[next(iter(spec["inputs"]))].numpy()
    if "lengths" in batch:
        raw = [steps[:length] for steps, length in zip(raw, batch["lengths"], strict=True)]
    return batch, raw
