"""The summary of a sweep: mean and deviation over seeds, and the jobs that failed."""

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.core.atomic_files import write_text
from zoo.core.run_folder import finished_runs, flat
from zoo.core.safe_csv import write_csv
from zoo.report.text import Values, columns, number

FAILED = "failed.json"
SEEDLIKE = {"seed", "run_dir", "resume", "zoo_path"}  # differ between the jobs of a sweep without setting them apart


def write_summary(sweep_dir: str | Path) -> str:
    """Gather a sweep's finished jobs, over their seeds, in `sweep_dir`/summary.csv, and name those that failed.

    Jobs that differ in nothing but the seed are a group. The file has a line for each group, split and metric, with
    the mean and the sample standard deviation over the group's `n` jobs.

    Returns:
        The test metrics as text, mean ± standard deviation, a line for each group; and a line for each failed job.
    """
    failures = [f"failed: {job['name']}: {job['message'].splitlines()[0]}" for job in _failed(Path(sweep_dir))]
    jobs = list(_jobs(Path(sweep_dir)))
    if not jobs:
        return "\n".join([f"no finished job in {sweep_dir}", *failures])
    axes = _axes([config for config, _ in jobs]) or ["model.name", "data.name"]
    groups: dict[tuple[str, ...], list[Values]] = {}
    for config, metrics in jobs:
        groups.setdefault(_at(config, axes), []).append(metrics)
    lines = [
        (*group, split, name, len(values), *_moments(values))
        for group, members in groups.items()
        for split in ("val", "test")
        for name, values in _collected(members, split).items()
    ]
    path = Path(sweep_dir) / "summary.csv"
    write_csv(path, [(*axes, "split", "metric", "n", "mean", "std"), *lines])
    return "\n".join([_summary_table(axes, groups), str(path), *failures])


def note_failure(folder: Path, number: int, code: int, message: str) -> None:
    """Leave in a job's folder why it failed, for the summary.

    Args:
        folder: of the job.
        number: of the job in its sweep.
        code: the exit code that it would have ended with alone.
        message: why.
    """
    write_text(folder / FAILED, json.dumps({"number": number, "code": code, "message": message}))


def exit_code(sweep_dir: str | Path) -> int:
    """That of the first job of a sweep that failed; 0 where none did."""
    return next((job["code"] for job in _failed(Path(sweep_dir))), 0)


def _failed(folder: Path) -> list[Values]:
    """The failed jobs of a sweep, the first first, with their folders as names."""
    paths = folder.rglob(FAILED)
    found = [{"name": path.parent.relative_to(folder), **json.loads(path.read_text())} for path in paths]
    return sorted(found, key=lambda job: job["number"])


def _jobs(folder: Path) -> Iterator[tuple[dict[str, str], Values]]:
    """The flat config and the metrics of every finished job in `folder`."""
    for run in finished_runs(folder):
        config = flat(run.read_config())
        yield {key: str(value) for key, value in config}, json.loads(run.metrics.read_text())


def _axes(configs: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys that set the jobs apart: model and data, then other names, then the rest, less what follows from those
    before."""
    keys = [key for key in {key: None for config in configs for key in config} if key not in SEEDLIKE]
    first = ("model.name", "data.name")
    axes: list[str] = []
    for rank in (first, [key for key in keys if key.endswith(".name")], keys):
        axes += [key for key in rank if _varies(configs, key, axes)]
    return axes


def _varies(configs: Sequence[Mapping[str, str]], key: str, axes: Sequence[str]) -> bool:
    """Whether jobs that agree on `axes` differ in `key`."""
    return len({_at(config, [*axes, key]) for config in configs}) > len({_at(config, axes) for config in configs})


def _at(config: Mapping[str, str], axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(config.get(axis, "") for axis in axes)


def _collected(members: Sequence[Values], split: str) -> dict[str, list[float]]:
    """Each metric's finite values over the jobs of a group."""
    names = {name: None for metrics in members for name in metrics[split]}
    values = {name: [metrics[split].get(name, math.nan) for metrics in members] for name in names}
    finite = {name: [value for value in several if math.isfinite(value)] for name, several in values.items()}
    return {name: several for name, several in finite.items() if several}


def _summary_table(axes: Sequence[str], groups: Mapping[tuple[str, ...], Sequence[Values]]) -> str:
    tests = {group: _collected(members, "test") for group, members in groups.items()}
    names = list({name: None for test in tests.values() for name in test})
    rows = [
        (*group, str(len(groups[group])), *(_mean_and_deviation(test.get(name, [])) for name in names))
        for group, test in tests.items()
    ]
    return "test split, mean ± standard deviation of n jobs\n" + columns((*axes, "n", *names), rows, n_left=len(axes))


def _mean_and_deviation(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, deviation = _moments(values)
    return f"{number(mean)} ± {'-' if deviation is None else f'{deviation:.2g}'}"


def _moments(values: Sequence[float]) -> tuple[float, float | None]:
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None
