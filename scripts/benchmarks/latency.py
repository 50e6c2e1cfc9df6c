"""Latency of a pretrained file: from `zoo.load` to the first prediction in a fresh process, then one and a thousand raw
samples per call, against the network's forward on prepared tensors."""

import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks._measure import Measure, against_target, in_turn, seconds

if TYPE_CHECKING:
    from zoo.data.splits import Batch

NAMES = ("fnn/mlp.breast_cancer", "cnn/small.mnist5k", "rnn/lstm.japanese_vowels")
FIRST_PREDICTION = """
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
        yield against_target(
            f"{name}, load and first prediction, imports done", [first_prediction(name) for _ in range(3)], "s", 1.0
        )
        for n, n_rounds in ((1, 200), (1000, 10)):
            yield prediction(name, n, n_rounds)


def first_prediction(name: str) -> float:
    """Return the seconds from loading to the first prediction, in a fresh process."""
    command = [sys.executable, "-c", FIRST_PREDICTION, name]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def prediction(name: str, n: int, n_rounds: int, device: str = "cpu") -> Measure:
    """Measure the milliseconds of `predict` for `n` raw samples on a device, against the network's forward."""
    import torch

    import zoo

    predictor = zoo.load(name).to(device)
    batch, raw = samples(name, n)
    model: Any = predictor.model
    ready = model.preprocess(predictor.to_device(batch))

    @torch.inference_mode()
    def forward() -> None:
        model.network(**ready)

    predictor.predict(raw), forward()
    ours, bare = in_turn(lambda: seconds(lambda: predictor.predict(raw)), lambda: seconds(forward), n_rounds)
    label = f"{name}, {n:,} raw sample{'s' * (n > 1)}: forward alone"
    return Measure(label, [1e3 * value for value in ours], [1e3 * value for value in bare], "ms")


def samples(name: str, n: int) -> tuple["Batch", Any]:
    """Return `n` test samples of a pretrained file's data, repeated if there are fewer: as a batch and as raw input."""
    import zoo
    from zoo.inference.pretrained import load_card

    spec = load_card(name)["spec"]
    test: Any = zoo.load_data(spec["name"]).test
    batch = test.__getitems__([i % len(test) for i in range(n)])
    raw = batch[next(iter(spec["inputs"]))].numpy()
    if "lengths" in batch:
        raw = [steps[:length] for steps, length in zip(raw, batch["lengths"], strict=True)]
    return batch, raw
