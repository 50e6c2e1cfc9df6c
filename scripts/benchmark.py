"""Measure the zoo on this machine: python scripts/benchmark.py data [output=FILE.json].

Prints the median and the range of several runs beside what is aimed at. Files are read from a warm disk cache.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common import exit_codes


class Measure(NamedTuple):
    """One line of a benchmark: what was measured several times, in `unit`, and what it should not exceed."""

    name: str
    values: list[float]
    unit: str
    goal: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("output", nargs="?", help="output=FILE.json writes the rows there")
    arguments = parser.parse_args()
    from zoo.summary import columns

    with exit_codes():
        rows = []
        for measure in SUITES[arguments.suite]():
            print(f"measured: {measure.name}", file=sys.stderr)
            rows.append(_row(measure))
    text = [[str(value) if value is not None else "" for value in row.values()] for row in rows]
    print(columns([*rows[0]], text))
    if arguments.output:
        Path(arguments.output.removeprefix("output=")).write_text(json.dumps(rows, indent=1))


def _row(measure: Measure) -> dict[str, Any]:
    low, middle, high = min(measure.values), statistics.median(measure.values), max(measure.values)
    ratio = None if measure.goal is None else round(middle / measure.goal, 2)
    return {
        "name": measure.name,
        "ours": round(middle, 3),
        "range": f"{low:.3g} to {high:.3g}",
        "unit": measure.unit,
        "goal": measure.goal,
        "ratio": ratio,
    }


def timed(task: Callable[[], Any], n: int = 3) -> list[float]:
    """Seconds of each of `n` calls, after one that does not count."""
    task()
    return [_seconds(task) for _ in range(n)]


def _seconds(task: Callable[[], Any]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def data() -> Iterator[Measure]:
    """From files to tensors, and from tensors to batches."""
    import zoo
    from zoo.data.augment import augment
    from zoo.data.module import EpochBatches

    yield Measure("MNIST, 70,000 images from disk to tensors", timed(lambda: zoo.load_data("mnist")), "s", 2.0)
    train = zoo.load_data("mnist", n_val=10).train
    warp = {"warp": {"shift": 0.1, "rotate": 10.0, "scale": 0.1}}

    def epoch(augmentations: dict[str, Any]) -> None:
        for index in EpochBatches(len(train), 128, 0):  # type: ignore[arg-type]
            augment(train.__getitems__(index), augmentations)  # type: ignore[union-attr]

    yield Measure("MNIST, an epoch of batches", timed(lambda: epoch({})), "s", 0.1)
    yield Measure("MNIST, an epoch with shift, rotate and scale", timed(lambda: epoch(warp)), "s", 1.0)
    yield Measure("CIFAR-10, 60,000 images from disk to tensors", timed(lambda: zoo.load_data("cifar10")), "s", 2.0)
    yield Measure("Adult, 48,842 rows from text to tensors", timed(lambda: zoo.load_data("adult")), "s", 1.0)
    with tempfile.TemporaryDirectory() as folder:
        yield from _large_csv(Path(folder) / "large.csv")
        yield from _image_folder(Path(folder) / "images")


LOAD_CSV = """
import resource, sys, time
import torch, pandas, pyarrow.csv, sklearn.model_selection
import zoo
start = time.perf_counter()
zoo.load_data("csv", path=sys.argv[1], target="y")
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def _large_csv(path: Path, n: int = 1_000_000) -> Iterator[Measure]:
    """Rows of 24 numbers, 5 categories and a target, read in a process of its own."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv

    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(n, 24)).round(4), columns=[f"x{i}" for i in range(24)])
    for i in range(5):
        table[f"c{i}"] = generator.choice([f"value {k}" for k in range(5 * (i + 1))], n)
    table["y"] = (table["x0"] + generator.normal(size=n) > 0).map({True: "yes", False: "no"})
    csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), str(path))
    runs = [
        subprocess.run([sys.executable, "-c", LOAD_CSV, str(path)], check=True, capture_output=True, text=True)
        for _ in range(3)
    ]
    seconds, memory = zip(*(map(float, run.stdout.splitlines()[-1].split()) for run in runs), strict=True)
    name = f"CSV, {n:,} x 30 ({path.stat().st_size / 1e6:,.0f} MB)"
    yield Measure(f"{name} to tensors", list(seconds), "s", 15.0)
    yield Measure(f"{name}, peak memory", list(memory), "GiB", 2.0)


def _image_folder(folder: Path, n: int = 60_000) -> Iterator[Measure]:
    """MNIST's training images as PNG files: decoded once, then read from the cache."""
    import os

    from PIL import Image

    import zoo

    columns = zoo.load_data("mnist", n_val=10).train.columns  # type: ignore[union-attr]
    images, labels = columns["image"][:n, 0].numpy(), columns["target"][:n].tolist()
    for label in sorted(set(labels)):
        (folder / str(label)).mkdir(parents=True)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / str(label) / f"{i}.png", compress_level=1)
    os.environ["ZOO_CACHE"] = str(folder.parent / "cache")
    name = f"image folder, {len(images):,} PNG files"
    yield Measure(f"{name}, first time", [_seconds(lambda: zoo.load_data("imagefolder", path=str(folder)))], "s")
    yield Measure(f"{name}, from the cache", timed(lambda: zoo.load_data("imagefolder", path=str(folder))), "s")


SUITES = {"data": data}

if __name__ == "__main__":
    main()
