"""Loading of files (in a warm disk cache) into tensors, and of tensors into batches, against a target."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._measure import Measure, against_target, seconds, timed


def measure() -> Iterator[Measure]:
    import zoo

    yield against_target("MNIST, 70,000 images from disk to tensors", timed(lambda: zoo.load_data("mnist")), "s", 2.0)
    yield from epochs("MNIST", zoo.load_data("mnist", n_val=10).train)
    yield against_target(
        "CIFAR-10, 60,000 images from disk to tensors", timed(lambda: zoo.load_data("cifar10")), "s", 2.0
    )
    yield against_target("Adult, 48,842 rows from text to tensors", timed(lambda: zoo.load_data("adult")), "s", 1.0)
    with tempfile.TemporaryDirectory() as folder:
        yield from large_csv(Path(folder) / "large.csv")
        yield from image_folder(Path(folder) / "images")


def epochs(name: str, train: Any) -> Iterator[Measure]:
    """Measure batches of 128 from tensors, without and with augmentation."""
    from zoo.data.augment import augment
    from zoo.data.batches import EpochBatches

    def epoch(augmentations: dict[str, Any]) -> None:
        for index in EpochBatches(len(train), 128, [0]):
            augment(train.__getitems__(index), augmentations)

    warp = {"warp": {"shift": 0.1, "rotate": 10.0, "scale": 0.1}}
    yield against_target(f"{name}, an epoch of batches", timed(lambda: epoch({})), "s", 0.1)
    yield against_target(f"{name}, an epoch with shift, rotate and scale", timed(lambda: epoch(warp)), "s", 1.0)


LOAD_CSV = """
import resource, sys, time
import torch, pandas, pyarrow.csv, sklearn.model_selection
import zoo
start = time.perf_counter()
zoo.load_data("csv", path=sys.argv[1], target="y")
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def large_csv(path: Path, n: int = 1_000_000) -> Iterator[Measure]:
    """Measure reading a large table, in a separate process."""
    write_csv(path, n)
    runs = [
        subprocess.run([sys.executable, "-c", LOAD_CSV, str(path)], check=True, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    spent, memory = zip(*(map(float, run.stdout.splitlines()[-1].split()) for run in runs), strict=True)
    name = f"CSV, {n:,} x 30 ({path.stat().st_size / 1e6:,.0f} MB)"
    yield against_target(f"{name} to tensors", spent, "s", 15.0)
    yield against_target(f"{name}, peak memory", memory, "GiB", 2.0)


def write_csv(path: Path, n: int) -> None:
    """Write `n` rows of 24 numbers, 5 categories and a target."""
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


def image_folder(folder: Path, n: int = 60_000) -> Iterator[Measure]:
    """Measure reading PNG files from the cache, against the first time, when they are decoded."""
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
    first = [seconds(lambda: zoo.load_data("imagefolder", path=str(folder)))]
    again = timed(lambda: zoo.load_data("imagefolder", path=str(folder)))
    yield Measure(f"image folder, {len(images):,} PNG files, from the cache: the first time", again, first, "s")
