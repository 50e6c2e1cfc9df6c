"""Kill trainings at random moments, resume them until they end, and compare with an uninterrupted one."""

import csv
import io
import json
import math
import multiprocessing
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from zoo.core.atomic_files import TEMPORARY_SUFFIX
from zoo.core.checkpoint_file import checkpoints
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.settings import compose, config

Config = Mapping[str, Any]
WARM = ("zoo.training", "zoo.report.page", "matplotlib.backends.backend_agg", "sklearn.datasets", "torchmetrics")
SAVING = ("os.rename", "os.remove")  # audit events of a save, apart from opening a temporary file
EVERYTHING = (
    "trainer.save_every=0",
    "optim.ema=0.9",
    "optim.lookahead=3",
    "optim.schedule={name: cosine, warmup: 0.1}",
    "trainer.patience=10",
)
OF_THE_RUN = ("seconds", "dirpath", "best_model_path", "kth_best_model_path", "last_model_path", "best_k_models")
FAMILIES = {
    "fnn": ("model=fnn/mlp", "data.batch_size=64", "trainer.max_epochs=4", "model.dropout=0.2"),
    "cnn": ("model=cnn", "model.width=4", "data.batch_size=500", "trainer.max_epochs=2"),
    "rnn": ("model=rnn/lstm", "model.width=8", "data.batch_size=64", "trainer.max_epochs=3", "model.dropout=0.2"),
    "retrieval": ("model=fnn/modern_nca", "data=diabetes", "data.batch_size=64", "trainer.max_epochs=4"),
    "seeds": ("model=fnn/mlp", "seeds=[0,1]", "data.batch_size=64", "trainer.max_epochs=4", "model.dropout=0.2"),
}


def soak(n: int, hours: float | None, seed: int) -> dict[str, Any]:
    """Kill `n` times, or for a number of hours, and count the outcomes.

    Returns:
        Kills by family, kills inside a save, finished trainings, and files that differ.
    """
    start, counts, differences = time.monotonic(), Counter[str](), []
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        chains = {
            name: Chain(Path(folder) / name, config_of(family, f"data.num_workers={workers}"), draw)
            for family in FAMILIES
            for workers in (0, 1)
            for name in [f"{family}, {workers} workers"]
        }
        while counts["kills"] < n if hours is None else time.monotonic() - start < hours * 3600:
            for name, chain in chains.items():
                for kind in chain.to_the_end():
                    counts.update([kind, name] if kind == "kills" else [kind])
                counts["trainings"] += 1
                differences += [f"{name}: {what}" for what in chain.differences()]
            print(f"{time.monotonic() - start:.0f} s: {dict(counts)}, {differences or 'no'} differences", flush=True)
    return {**counts, "differences": differences, "seconds": round(time.monotonic() - start)}


def config_of(family: str, *overrides: str) -> Config:
    """Return a short training's config, with callbacks and every state that a checkpoint saves."""
    words = (*FAMILIES[family], *EVERYTHING, *overrides)
    return {**config(*words), "callbacks": OmegaConf.to_container(compose(*words).callbacks)}


class Chain:
    """A training that is killed and resumed until it ends, repeatedly, and an uninterrupted one.

    Args:
        folder: for both.
        config: of both.
        draw: random generator of the moments.
    """

    def __init__(self, folder: Path, config: Config, draw: random.Random):
        self.config, self.draw = config, draw
        self.whole, self.parts = folder / "whole", folder / "parts"
        start = time.monotonic()
        if attempt(config, self.whole) != 0:
            raise RuntimeError(f"the unbroken training in {self.whole} failed")
        self.seconds = time.monotonic() - start

    def to_the_end(self) -> Iterator[str]:
        """Train to the end with random kills; yield a word for each kill, and one if it was inside a save."""
        for path in sorted(self.parts.rglob("*"), reverse=True) if self.parts.exists() else ():
            path.rmdir() if path.is_dir() else path.unlink()
        longest = self.seconds
        while True:
            saving = self.draw.random() < 0.5
            longest *= 1.1  # so that it ends even on a busy machine
            moment = self.draw.randint(1, 12) if saving else self.draw.uniform(0, longest)
            code = attempt(self.config, self.parts, math.inf if saving else moment, int(saving and moment))
            if code == 0:
                return
            if code != -signal.SIGKILL:
                raise RuntimeError(f"a resumed training in {self.parts} ended with {code}")
            yield "kills"
            if saving:
                yield "inside a save"

    def differences(self) -> list[str]:
        """List the files that differ from those of the uninterrupted training."""
        return differences(self.whole, self.parts)


def attempt(config: Config, folder: Path, after: float = math.inf, event: int = 0) -> int:
    """Train in a separate process with resume=auto.

    Args:
        config: of the training.
        folder: the run folder.
        after: seconds after which to kill it.
        event: number of the event of `SAVING` at which to kill it, if any.

    Returns:
        The exit code; -9 if it was killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(WARM))
    process = context.Process(target=_train, args=(config, str(folder), event))
    process.start()
    process.join(None if after == math.inf else after)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _train(config: Config, folder: str, event: int) -> None:
    from hydra.utils import instantiate

    import zoo

    sys.stdout = open(os.devnull, "w")
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # of data readers, as in a separate command
    left = [event]

    def count(name: str, arguments: tuple[Any, ...]) -> None:
        if name in SAVING or (name == "open" and str(arguments[0]).endswith(TEMPORARY_SUFFIX)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    if event:
        sys.addaudithook(count)
    settings = {**config, "resume": "auto"}
    callbacks = [instantiate(callback) for callback in settings.pop("callbacks").values()]
    train = zoo.train if settings["seeds"] is None else zoo.train_seeds
    train(settings, folder, callbacks)


def contents(folder: Path) -> dict[str, Any]:
    """Return the content of a finished run folder by file, without its path and timings; of the checkpoints only the
    newest, because the others depend on the moment of a kill."""
    found: dict[str, Any] = {
        "checkpoint": _common(SafeCheckpointIO().load_checkpoint(checkpoints(folder / "checkpoints")[0]))
    }
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_dir() or (path.parent.name == "checkpoints" and path.suffix == ".ckpt"):
            continue
        if path.name == "metrics.csv":
            found[name] = [
                {key: value for key, value in row.items() if key != "seconds"}
                for row in csv.DictReader(io.StringIO(path.read_text()))
            ]
        elif path.name == "metrics.json":
            found[name] = _common(json.loads(path.read_text()))
        elif path.name == "report.html":
            found[name] = _without_seconds(path.read_text()).replace(str(folder), "")
        elif path.name != "config.yaml":
            found[name] = path.read_bytes()
    return found


def differences(a: Path, b: Path) -> list[str]:
    """List the files that differ between two finished run folders."""
    ours, theirs = contents(a), contents(b)
    return [name for name in sorted({*ours, *theirs}) if not _equal(ours.get(name), theirs.get(name))]


def _without_seconds(page: str) -> str:
    """Leave out a report's seconds: the fact, and the last column of the table of baselines."""
    page = re.sub(r"<dt>seconds<dd>[^<]*", "", page)
    last = r"<td>[^<]*(?=<tr>|</table>)"
    return re.sub(r"<th>seconds<tr>.*?</table>", lambda table: re.sub(last, "", table[0]), page)


def _common(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _common(part) for key, part in value.items() if key not in OF_THE_RUN}
    return [_common(part) for part in value] if isinstance(value, list | tuple) else value


def _equal(a: Any, b: Any) -> bool:
    """Whether two nested values are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and not isinstance(a, str | bytes):
        return isinstance(b, Sequence) and len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)
