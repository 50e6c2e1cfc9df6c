"""What is measured on a GPU, a function a task. Each yields rows as it goes, so that a task that is ended has some."""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpu.recipes import RECIPES, Recipe

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]
FAMILIES = (
    "fnn/mlp.breast_cancer",
    "cnn/small.mnist5k",
    "rnn/lstm.japanese_vowels",
    "cnn/inception_time.japanese_vowels",
)
DRY = ("trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1")
KEPT = ("config.yaml", "metrics.json", "metrics.csv", "model.safetensors")  # of a run folder
FIRST_SEEDS = 2  # of a variant, before the others


@dataclass(frozen=True)
class Job:
    """A task under way.

    Args:
        runs: folder for the run folders of recipes.
        seconds: that it may take.
        dry: whether to train on the CPU, at tiny sizes.
        start: by `time.monotonic`.
    """

    runs: Path
    seconds: float
    dry: bool
    start: float

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.start)


@dataclass(frozen=True)
class Task:
    """Something to measure.

    Args:
        name: on the page.
        seconds: at most, of a whole run of ten minutes.
        rows: measures.
    """

    name: str
    seconds: float
    rows: Callable[[Job], Iterator[Row]]


def row(
    name: str, value: Any, unit: str = "", *, reference: Any = None, goal: str = "", met: bool | None = None
) -> Row:
    """A row of the table: what was measured, beside what it is compared with, and its goal."""
    return {"name": name, "value": value, "unit": unit, "reference": reference, "goal": goal, "met": met}


def _failed(name: str, error: Exception) -> Row:
    """The row of what an error ended, whose traceback goes to the log."""
    traceback.print_exception(error)
    return row(name, f"failed: {str(error).partition(chr(10))[0][:200]}", met=False)


def tests(job: Job, which: str) -> Iterator[Row]:
    """tests/gpu, those that pytest's -k chooses: the outcome of each test. Out of time it ends as by Ctrl-C."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tests.xml"
        processes = () if job.dry else ("-n", "4")
        command = [sys.executable, "-m", "pytest", "-q", *processes, "-k", which, f"--junitxml={path}", "tests/gpu"]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            process.wait(max(job.left - 20, 1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        cases = list(ElementTree.parse(path).iter("testcase")) if path.exists() else []
    for case in cases:
        kinds = {part.tag for part in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        yield row(
            case.attrib["name"], outcome, goal="passed", met=None if outcome == "skipped" else outcome == "passed"
        )
    if not cases:
        raise RuntimeError("pytest wrote no results in its time")


def families(job: Job) -> Iterator[Row]:
    """A training of each family from data inside packages: its accuracy beside the CPU's, and its seconds."""
    from zoo.inference.pretrained import load_card

    for name in FAMILIES:
        try:
            result, card = _train((f"experiment={name}", "trainer=gpu", "baseline=false"), job, 0), load_card(name)
        except Exception as error:
            yield _failed(name, error)
            continue
        there = card["metrics"]["test"]["accuracy"]
        value, least = result["test"]["accuracy"], there["mean"] - 3 * max(there["std"], 0.003)
        yield row(f"{name}: test accuracy", value, reference=there["mean"], goal=f">= {least:.4f}", met=value >= least)
        yield row(f"{name}: fit", result["seconds"]["fit"], "s", reference=card["seconds"]["fit"]["mean"])


def benchmarks(job: Job) -> Iterator[Row]:
    """Steps and latency beside the hand-written loop: scripts/benchmarks/gpu.py."""
    from benchmarks import gpu

    for measure in gpu.measure(tiny=job.dry):
        found = measure.row
        met = None if measure.goal is None else found["ratio"] <= measure.goal
        goal = "" if measure.goal is None else f"{found['goal']} times"
        yield row(found["name"], found["ours"], found["unit"], reference=found["reference"], goal=goal, met=met)


def train_recipe(recipe: Recipe, job: Job) -> Iterator[Row]:
    """Try a recipe's variants in turn; train all seeds with the first one that reaches the goal, or with the last."""
    n = 1 if job.dry else recipe.seeds
    for number, words in enumerate(recipe.variants):
        folder = job.runs / recipe.name / str(number)
        try:
            if n > 1:
                _train((*words, "data.epochs=1"), job, 0, recipe.tiny)  # compiles
            results = [_train(words, job, seed, recipe.tiny, folder) for seed in range(min(FIRST_SEEDS, n))]
        except Exception as error:  # such as of the compiler
            yield _failed(f"{recipe.name}: {_short(words)}", error)
            continue
        reached = _reaches(recipe, results)
        if reached or number == len(recipe.variants) - 1:
            for seed in range(len(results), n):
                if job.left > 2 * results[-1]["seconds"]["total"]:
                    results.append(_train(words, job, seed, recipe.tiny, folder))
            keep_one(folder)
        else:
            shutil.rmtree(folder)
        yield from _rows(recipe, words, results)
        if reached:
            return


def _rows(recipe: Recipe, words: Any, results: list[Mapping[str, Any]]) -> Iterator[Row]:
    values = [result["test"][recipe.metric] for result in results]
    fits = [result["seconds"]["fit"] for result in results]
    name = f"{recipe.name}: {_short(words)}, n={len(values)}, {results[0]['n_parameters']:,} parameters"
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    sign = ">=" if recipe.metric == "accuracy" else "<="
    goal = f"{sign} {recipe.goal}"
    yield row(
        f"{name}: {recipe.metric}", f"{statistics.mean(values):.4f}{spread}", goal=goal, met=_reaches(recipe, results)
    )
    limit = recipe.largest_fit
    goal = "" if limit is None else f"<= {limit}"
    met = None if limit is None else statistics.median(fits) <= limit
    yield row(f"{name}: median fit", round(statistics.median(fits), 2), "s", goal=goal, met=met)


def _reaches(recipe: Recipe, results: list[Mapping[str, Any]]) -> bool:
    mean = statistics.mean(result["test"][recipe.metric] for result in results)
    return mean >= recipe.goal if recipe.metric == "accuracy" else mean <= recipe.goal


def _short(words: Any) -> str:
    """The settings that tell variants apart."""
    return " ".join(
        word for word in words if word.startswith(("experiment", "model", "data.epochs", "trainer.compile"))
    )


def _train(words: Any, job: Job, seed: int, tiny: Any = (), folder: Path | None = None) -> Mapping[str, Any]:
    """Train, at most as long as is left, and return the content of metrics.json; `folder` gets the run folder."""
    import zoo

    more: tuple[str, ...] = (f"seed={seed}", f"budget={max(int(job.left - 10), 1)}s")
    if job.dry:
        more += (*DRY, "trainer.compile=null", *tiny)
    names = {word.partition("=")[0] for word in more}
    config = zoo.config(*(word for word in words if word.partition("=")[0] not in names), *more)
    with tempfile.TemporaryDirectory() as scratch:
        result = zoo.train(config, scratch)
        if folder is not None:
            (folder / f"seed={seed}").mkdir(parents=True)
            for name in KEPT:
                shutil.copy(result.path / name, folder / f"seed={seed}" / name)
    return result.metrics


def keep_one(folder: Path) -> None:
    """Keep the weights of one run, that with the lowest validation loss, as scripts/maintain/release.py takes them."""
    losses = {path.parent: json.loads(path.read_text())["val"]["loss"] for path in folder.glob("*/metrics.json")}
    for run in sorted(losses, key=lambda run: losses[run])[1:]:
        (run / "model.safetensors").unlink()


def machine() -> dict[str, Any]:
    """The GPU, its driver and the versions."""
    import platform
    from importlib.metadata import version

    import torch

    from zoo.core.system import hardware

    gpu, driver = "none", ""
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_name()
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
            driver = subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.strip()
    versions = {name: version(name) for name in ("torch", "lightning", "numpy")}
    cuda = {"cuda": torch.version.cuda or "", "python": platform.python_version()}
    return {"gpu": gpu, "driver": driver, "hardware": hardware(), "day": time.strftime("%Y-%m-%d"), **versions, **cuda}


def _recipe_task(recipe: Recipe) -> Task:
    return Task(recipe.name, recipe.seconds, lambda job: train_recipe(recipe, job))


TASKS = {  # in the order of their value
    task.name: task
    for task in (
        Task("tests", 150, lambda job: tests(job, "not killed")),
        Task("families", 90, families),
        Task("benchmarks", 90, benchmarks),
        Task("kills", 120, lambda job: tests(job, "killed")),
        *map(_recipe_task, RECIPES),
    )
}


def environment() -> dict[str, str]:
    """Variables for the process of a task."""
    paths = [str(ROOT), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
