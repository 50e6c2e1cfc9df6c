"""Summary of a sweep: mean and standard deviation over seeds, and failed jobs."""

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.core.atomic_files import write_text
from zoo.core.formatting import format_number
from zoo.core.run_folder import finished_runs, flat
from zoo.core.safe_csv import write_csv
from zoo.report.text import Values, text_table

FAILED = "failed.json"
NOT_COMPARED = {"seed", "run_dir", "resume", "zoo_path"}  # config keys that do not distinguish groups of jobs


def write_summary(sweep_dir: str | Path) -> str:
    """Write `sweep_dir`/summary.csv, with the metrics of finished jobs averaged over seeds.

    Jobs that differ only in the seed are a group. The file has a line for each group, split and metric, with the mean
    and the sample standard deviation over the group's `n` jobs.

    Returns:
        Text for a terminal: a line of test metrics for each group, and a line for each failed job.
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
        for name, values in _values_by_metric(members, split).items()
    ]
    path = Path(sweep_dir) / "summary.csv"
    write_csv(path, [(*axes, "split", "metric", "n", "mean", "std"), *lines])
    return "\n".join([_summary_table(axes, groups), str(path), *failures])


def record_failure(folder: Path, number: int, code: int, message: str) -> None:
    """Record in a job's folder why it failed, for the summary.

    Args:
        folder: of the job.
        number: of the job in its sweep.
        code: the exit code of a job of its own.
        message: of the error.
    """
    write_text(folder / FAILED, json.dumps({"number": number, "code": code, "message": message}))


def exit_code(sweep_dir: str | Path) -> int:
    """The exit code of the first failed job of a sweep; 0 if none failed."""
    return next((job["code"] for job in _failed(Path(sweep_dir))), 0)


def _failed(folder: Path) -> list[Values]:
    """The failed jobs of a sweep in their order, named by their folders."""
    paths = folder.rglob(FAILED)
    found = [{"name": path.parent.relative_to(folder), **json.loads(path.read_text())} for path in paths]
    return sorted(found, key=lambda job: job["number"])


def _jobs(folder: Path) -> Iterator[tuple[dict[str, str], Values]]:
    """The flat config and the metrics of each finished job in `folder`."""
    for run in finished_runs(folder):
        config = flat(run.read_config())
        yield {key: str(value) for key, value in config}, json.loads(run.metrics.read_text())


def _axes(configs: Sequence[Mapping[str, str]]) -> list[str]:
    """Config keys that distinguish the jobs: model and data, other names, then the rest; without keys whose values
    follow from earlier ones."""
    keys = [key for key in {key: None for config in configs for key in config} if key not in NOT_COMPARED]
    first = ("model.name", "data.name")
    axes: list[str] = []
    for rank in (first, [key for key in keys if key.endswith(".name")], keys):
        axes += [key for key in rank if _varies(configs, key, axes)]
    return axes


def _varies(configs: Sequence[Mapping[str, str]], key: str, axes: Sequence[str]) -> bool:
    """Whether `key` differs among jobs that are equal in `axes`."""
    return len({_at(config, [*axes, key]) for config in configs}) > len({_at(config, axes) for config in configs})


def _at(config: Mapping[str, str], axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(config.get(axis, "") for axis in axes)


def _values_by_metric(members: Sequence[Values], split: str) -> dict[str, list[float]]:
    """The finite values of each metric over the jobs of a group."""
    names = {name: None for metrics in members for name in metrics[split]}
    values = {name: [metrics[split].get(name, math.nan) for metrics in members] for name in names}
    finite = {name: [value for value in column if math.isfinite(value)] for name, column in values.items()}
    return {name: column for name, column in finite.items() if column}


def _summary_table(axes: Sequence[str], groups: Mapping[tuple[str, ...], Sequence[Values]]) -> str:
    tests = {group: _values_by_metric(members, "test") for group, members in groups.items()}
    names = list({name: None for test in tests.values() for name in test})
    rows = [
        (*group, str(len(groups[group])), *(_mean_and_deviation(test.get(name, [])) for name in names))
        for group, test in tests.items()
    ]
    return "test split, mean ± standard deviation of n jobs\n" + text_table(
        (*axes, "n", *names), rows, n_left=len(axes)
    )


def _mean_and_deviation(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, deviation = _moments(values)
    return f"{format_number(mean)} ± {'-' if deviation is None else f'{deviation:.2g}'}"


def _moments(values: Sequence[float]) -> tuple[float, float | None]:
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None
