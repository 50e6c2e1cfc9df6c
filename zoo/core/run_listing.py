"""The runs in a folder: what their configs differ in, how far each is, and its validation metrics. Imports no torch."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.core.atomic_files import write_text
from zoo.core.errors import UserError
from zoo.core.safe_yaml import read_yaml

FAILED = "failed.json"
STATES = {0: "pruned", 3: "diverged"}  # by the exit code in a job's record of failure; others failed
# settings that a resumed run may change
MAY_DIFFER = {
    *("run_dir", "resume", "zoo_path", "baseline", "budget", "data.num_workers"),
    *("trainer.save_every", "trainer.n_checkpoints", "trainer.tricks"),
}
NOT_COMPARED = MAY_DIFFER - {"budget"} | {"seed"}  # settings that do not distinguish groups of runs


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it.

    Attributes:
        folder: of the run.
        config: flat, values as text; empty where it cannot be read.
        metrics: content of metrics.json; None before the end.
        epochs: that are done.
        val: metrics on the validation split: of the weights that were kept, or of the best epoch so far.
        state: finished, running, interrupted, diverged, pruned or failed.
        when: its files last changed, seconds since 1970.
    """

    folder: Path
    config: Mapping[str, str]
    metrics: Mapping[str, Any] | None
    epochs: int
    val: Mapping[str, float]
    state: str
    when: float

    @property
    def data(self) -> str:
        """The data set, by which runs may be compared: its name, and the file of a user's data."""
        return " ".join(filter(None, (self.config.get("data.name", ""), self.config.get("data.path", ""))))

    @property
    def loss(self) -> float:
        """The validation loss; infinite where there is none."""
        loss = self.val.get("loss", math.inf)
        return loss if math.isfinite(loss) else math.inf


def find_runs(folder: Path) -> list[ListedRun]:
    """The runs in a folder and in all below it, by data set and validation loss; of several seeds each one, of folds
    what they make together."""
    found = [_read_run(path.parent) for path in sorted(folder.rglob("config.yaml"))]
    seeds = {run.folder for run in found if list(run.folder.glob("seed=*/config.yaml"))}
    folds = {path.parent for run in found for path in run.folder.glob("fold=*/config.yaml")}
    return sorted((run for run in found if run.folder not in seeds | folds), key=lambda run: (run.data, run.loss))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings by dotted keys; an empty mapping is a value."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def differing_settings(configs: Sequence[Mapping[str, str]]) -> list[str]:
    """Settings that distinguish flat configs: model and data, other names, then the rest; without those whose values
    follow from earlier ones."""
    keys = [key for key in {key: None for config in configs for key in config} if key not in NOT_COMPARED]
    first = ("model.name", "data.name", "data.path")
    axes: list[str] = []
    for rank in (first, [key for key in keys if key.endswith(".name")], keys):
        axes += [key for key in rank if _varies(configs, key, axes)]
    return axes


def values_at(config: Mapping[str, str], axes: Sequence[str]) -> tuple[str, ...]:
    """The values of a flat config at some settings."""
    return tuple(config.get(axis, "") for axis in axes)


def record_failure(folder: Path, number: int, code: int, message: str) -> None:
    """Record in a job's folder why it failed, for lists and summaries.

    Args:
        folder: of the job.
        number: of the job in its sweep.
        code: the exit code of a job of its own.
        message: of the error.
    """
    write_text(folder / FAILED, json.dumps({"number": number, "code": code, "message": message}))


def _varies(configs: Sequence[Mapping[str, str]], key: str, axes: Sequence[str]) -> bool:
    """Whether `key` differs among configs that are equal in `axes`."""
    return len({values_at(one, [*axes, key]) for one in configs}) > len({values_at(one, axes) for one in configs})


def _read_run(folder: Path) -> ListedRun:
    rows, metrics = _epochs(folder / "metrics.csv"), _read_json(folder / "metrics.json")
    val = metrics["val"] if metrics else min((_validated(row) for row in rows), key=_loss, default={})
    newest = max(path.stat().st_mtime for path in folder.iterdir() if path.is_file())
    epochs = int(rows[-1]["epoch"]) if rows else 0
    return ListedRun(folder, _config(folder), metrics, epochs, val, _state(folder, metrics, rows), newest)


def _config(folder: Path) -> dict[str, str]:
    try:
        return {key: str(value) for key, value in flat(read_yaml(folder / "config.yaml"))}
    except (UserError, OSError, AttributeError):
        return {}


def _state(folder: Path, metrics: Any, rows: Sequence[Mapping[str, str]]) -> str:
    if metrics:
        return "finished"
    if _is_locked(folder / "checkpoints" / ".lock"):
        return "running"
    if failure := _read_json(folder / FAILED):
        return STATES.get(failure["code"], "failed")
    losses = [float(value) for key, value in rows[-1].items() if key.endswith("/loss") and value] if rows else []
    return "interrupted" if all(map(math.isfinite, losses)) else "diverged"


def _is_locked(path: Path) -> bool:
    """Whether a training holds the lock of its folder."""
    try:
        if path.exists():
            FileLock(path, timeout=0).acquire().lock.release()
    except Timeout:
        return True
    except OSError:  # somebody else's, or a file system without locks
        pass
    return False


def _epochs(path: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv; none where it is missing."""
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _validated(row: Mapping[str, str]) -> dict[str, float]:
    return {key.removeprefix("val/"): float(row[key]) for key in row if key.startswith("val/") and row[key]}


def _loss(val: Mapping[str, float]) -> float:
    loss = val.get("loss", math.inf)
    return math.inf if math.isnan(loss) else loss


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
