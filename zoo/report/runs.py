"""The runs of a folder as a table, the best of each data set first. Imports no torch."""

import math
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from zoo.core.config_paths import base_name
from zoo.core.formatting import format_number
from zoo.core.run_listing import ListedRun, differing_settings
from zoo.core.table_layout import fit_columns, text_table

LOSS_SETTINGS = ("task.", "distill.")  # sections that change what a loss means
MOST_SETTINGS = 6  # shown, of those that differ
LONG = 24  # columns of a folder's name that a terminal has room for; longer ones go on in the next line


def runs_table(runs: Sequence[ListedRun], folder: Path, width: int | None) -> str:
    """Return a line for each run: its validation loss and score, epochs, state, what differs, when, and its folder.

    Args:
        runs: at least one, in the order of the table.
        folder: that the names are relative to.
        width: of the terminal; what differs, and when, are left out where there is no room.
    """
    names = [run.folder.relative_to(folder).as_posix() for run in runs]
    differing = [axis for axis in differing_settings([run.config for run in runs]) if not _is_in(axis, names)]
    axes = differing[:MOST_SETTINGS]
    scores = list(dict.fromkeys(score for run in runs if (score := _score(run))))
    columns = [
        ["val loss", *(format_number(run.loss) for run in runs)],
        *([score, *(format_number(run.val.get(score)) for run in runs)] for score in scores),
        ["epochs", *(str(run.epochs or "-") for run in runs)],
        ["state", *(run.state for run in runs)],
        *([axis, *(_short(run.config.get(axis, "-")) for run in runs)] for axis in axes),
        ["when", *(f"{datetime.fromtimestamp(run.when):%Y-%m-%d %H:%M}" for run in runs)],
    ]
    room = None if width is None else width - min(max(map(len, names)), LONG) - 2
    shown, n_left = fit_columns(columns, room, at_least=1)
    header, *lines = zip(*shown, ["run", *names], strict=True)
    n_left += len(differing) - len(axes)
    note = f"\n{n_left} more column{'s' * (n_left > 1)} left out" * (n_left > 0)
    return text_table(header, lines, n_left=0, last_left=True) + note


def comparable(axes: Sequence[str]) -> bool:
    """Whether losses of runs that differ in the settings `axes` may be compared."""
    return not any(axis.startswith(LOSS_SETTINGS) for axis in axes)


def _short(value: str) -> str:
    """A value, of a path the name of its file."""
    return base_name(value) if os.path.isabs(value) else value


def _is_in(axis: str, names: Sequence[str]) -> bool:
    """Whether the folders' names tell the setting."""
    return all(f"{axis}=" in name for name in names)


def _score(run: ListedRun) -> str | None:
    """The metric of the task that is shown beside the loss: its first."""
    return next((name for name, value in run.val.items() if name != "loss" and math.isfinite(value)), None)
