"""Summary of a sweep: its settings by validation loss, mean and standard deviation over seeds, and failed jobs."""

import json
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.core.formatting import format_number
from zoo.core.run_folder import Run
from zoo.core.run_listing import FAILED, ListedRun, differing_settings, find_runs, values_at
from zoo.core.safe_csv import write_csv
from zoo.core.table_layout import fit_columns, text_table
from zoo.report.runs import comparable
from zoo.report.text import Values, mean_and_deviation

Group = Sequence[ListedRun]  # jobs that differ in the seed alone


def write_summary(sweep_dir: str | Path, width: int | None = None) -> str:
    """Write `sweep_dir`/summary.csv, with the metrics of finished jobs averaged over seeds.

    Jobs that differ only in the seed are a group. The file has a line for each group, split and metric, with the mean
    and the sample standard deviation over the group's `n` jobs. Several groups are a choice, which validation decides:
    of them the metrics of the test split are left out. Several seeds are none.

    Args:
        sweep_dir: the folder of the jobs.
        width: of the terminal.

    Returns:
        Text for a terminal: a line of metrics for each group, the best one, and a line for each failed job.
    """
    folder = Path(sweep_dir)
    failures = [f"failed: {job['name']}: {job['message'].splitlines()[0]}" for job in _failed(folder)]
    jobs = _finished(folder)
    if not jobs:
        return "\n".join([f"no finished job in {sweep_dir}", *failures])
    axes = differing_settings([job.config for job in jobs])
    groups = _groups(jobs, axes)
    is_choice, shown = len(groups) > 1, axes or ["model.name", "data.name"]
    lines = [
        (*values_at(members[0].config, shown), split, name, len(values), *_moments(values))
        for members in groups
        for split in (("val",) if is_choice else ("val", "test"))
        for name, values in _values_by_metric(members, split).items()
    ]
    path = folder / "summary.csv"
    write_csv(path, [(*shown, "split", "metric", "n", "mean", "std"), *lines])
    table = _choice_table(shown, groups, width) if is_choice else _seeds_table(groups[0])
    return "\n".join([table, *(_best(groups, axes) if is_choice else []), str(path), *failures])


def exit_code(sweep_dir: str | Path) -> int:
    """The exit code of the first failed job of a sweep; 0 if none failed."""
    return next((job["code"] for job in _failed(Path(sweep_dir))), 0)


def _finished(folder: Path) -> list[ListedRun]:
    """The finished jobs of a sweep. UserError if a config cannot be read, as jobs are grouped by their configs."""
    found = find_runs(folder)
    for run in found:
        if not run.config:
            Run(run.folder).read_config()
    return [run for run in found if run.metrics]


def _failed(folder: Path) -> list[Values]:
    """The failed jobs of a sweep in their order, named by their folders."""
    paths = folder.rglob(FAILED)
    found = [{"name": path.parent.relative_to(folder), **json.loads(path.read_text())} for path in paths]
    return sorted(found, key=lambda job: job["number"])


def _groups(jobs: Sequence[ListedRun], axes: Sequence[str]) -> list[Group]:
    """The jobs by their settings, the groups in the order of data set and mean validation loss."""
    groups: dict[tuple[str, ...], list[ListedRun]] = {}
    for job in jobs:
        groups.setdefault(values_at(job.config, axes), []).append(job)
    return sorted(groups.values(), key=lambda group: (group[0].data, statistics.mean(job.loss for job in group)))


def _best(groups: Sequence[Group], axes: Sequence[str]) -> list[str]:
    """Name the best group of each data set, and how to see its test metrics; or say why losses do not decide."""
    if not comparable(axes):
        return ["losses of different task and distill settings cannot be compared; choose by another validation metric"]
    best: dict[str, Group] = {}
    for group in groups:
        best.setdefault(group[0].data, group)
    return [line for group in best.values() for line in best_lines(group, axes)]


def best_lines(group: Group, axes: Sequence[str]) -> list[str]:
    """Name the best of several settings, and how to see its test metrics; of several seeds the best job's."""
    settings = " ".join(f"{axis}={group[0].config.get(axis, '')}" for axis in axes)
    loss = format_number(statistics.mean(job.loss for job in group))
    mean = f"mean of {len(group)}" if len(group) > 1 else ""
    folder = shlex.quote(str(min(group, key=lambda job: job.loss).folder))
    return [
        f"best by validation: {settings}, val loss {loss}" + f" ({mean})" * bool(mean),
        f"once you have chosen, its test metrics: zoo evaluate {folder}",
    ]


def _choice_table(axes: Sequence[str], groups: Sequence[Group], width: int | None) -> str:
    values = [_values_by_metric(group, "val") for group in groups]
    names = list({name: None for group in values for name in group})
    columns = [
        *([axis, *(group[0].config.get(axis, "") for group in groups)] for axis in axes),
        ["n", *(str(len(group)) for group in groups)],
        *([name, *(_mean_and_deviation(group.get(name, [])) for group in values)] for name in names),
    ]
    shown, n_more = fit_columns(columns, width, at_least=len(axes) + 2)
    header, *rows = zip(*shown, strict=True)
    more = f", {n_more} more in summary.csv" * (n_more > 0)
    several = ", mean ± standard deviation of n jobs" * any(len(group) > 1 for group in groups)
    return f"validation split{several}{more}\n" + text_table(header, rows, n_left=len(axes))


def _seeds_table(jobs: Group) -> str:
    """The metrics of both splits, as several seeds of one setting are no choice."""
    splits = {split: _values_by_metric(jobs, split) for split in ("val", "test")}
    rows = [
        (name, *(_mean_and_deviation(values.get(name, [])) for values in splits.values())) for name in splits["test"]
    ]
    seeds = f"mean ± standard deviation of {len(jobs)} seeds\n" if len(jobs) > 1 else ""
    return seeds + text_table(("", *splits), rows)


def _values_by_metric(jobs: Group, split: str) -> dict[str, list[float]]:
    """The finite values of each metric over the jobs of a group."""
    metrics: list[Mapping[str, float]] = [job.metrics[split] for job in jobs if job.metrics]
    values = {name: [one.get(name, math.nan) for one in metrics] for one in metrics for name in one}
    finite = {name: [value for value in column if math.isfinite(value)] for name, column in values.items()}
    return {name: column for name, column in finite.items() if column}


def _mean_and_deviation(values: Sequence[float]) -> str:
    return mean_and_deviation(*_moments(values)) if values else "-"


def _moments(values: Sequence[float]) -> tuple[float, float | None]:
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None
