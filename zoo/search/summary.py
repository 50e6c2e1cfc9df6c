"""What a search found: a table of its trials, the best one, and which settings mattered, in words and as a picture."""

import math
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.atomic_files import write_atomically
from zoo.core.formatting import format_number
from zoo.core.safe_csv import write_csv
from zoo.core.table_layout import fit_columns, text_table
from zoo.search.space import Range
from zoo.search.study import DEFAULTS, Search, folder_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

N_SHOWN = 10
STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "interrupted"}
PICTURE, TABLE = "search.png", "trials.csv"
WIDE = 10.0  # how much the largest loss exceeds the smallest where the scale is logarithmic


def summarise(search: Search, study: "Study", width: int | None) -> str:
    """Write trials.csv and search.png in the search's folder, and return the best trials as a table.

    The loss is that of the validation split throughout; the test split is for the settings that are chosen.
    """
    trials = sorted(_shown(study), key=_loss)
    keys = [varied.key for varied in search.space]
    rows = [(folder_of(one), _epochs(one), *_values(search, one), STATES.get(one.state.name, "")) for one in trials]
    header, losses = ("val loss", "trial", "epochs", *keys, "state"), [_loss(one) for one in trials]
    in_full = [str(loss) if math.isfinite(loss) else "" for loss in losses]
    write_csv(search.folder / TABLE, [header, *((loss, *row) for loss, row in zip(in_full, rows, strict=True))])
    if not any(one.state.name == "COMPLETE" for one in trials):
        return f"no trial of {len(trials)} finished; {search.folder / TABLE} lists them"
    top = [header, *((format_number(loss), *row) for loss, row in zip(losses, rows, strict=True))][: N_SHOWN + 1]
    columns, _ = fit_columns(list(zip(*top, strict=True)), width)
    first, *lines = zip(*columns, strict=True)
    shares = _importances(study)
    _draw(search, trials, shares, search.folder / PICTURE)
    mattered = ", ".join(f"{key} {share:.0%}" for key, share in shares.items())
    return "\n".join([
        f"the best of {len(trials)} trials by validation loss",
        text_table(first, lines, n_left=0),
        *([f"what mattered: {mattered}"] if mattered else []),
        *_best(search, trials[0]),
        *_of_defaults(trials),
        *(str(search.folder / name) for name in (TABLE, PICTURE)),
    ])  # fmt: skip


def _shown(study: "Study") -> "list[FrozenTrial]":
    interrupted = study.user_attrs.get("interrupted", [])
    return [one for one in study.trials if one.number not in interrupted and one.state.name in STATES]


def _best(search: Search, best: "FrozenTrial") -> list[str]:
    words = [f"{varied.key}={value}" for varied, value in zip(search.space, _values(search, best), strict=True)]
    return [
        f"best by validation: {' '.join(words)}, val loss {format_number(_loss(best))}",
        f"once you have chosen, its test metrics: zoo evaluate {shlex.quote(str(search.folder / folder_of(best)))}",
    ]


def _of_defaults(trials: "Sequence[FrozenTrial]") -> list[str]:
    """What the defaults give, where a trial had them."""
    losses = [_last_loss(one) for one in trials if one.user_attrs.get(DEFAULTS)]
    return [f"with the defaults: val loss {format_number(loss)}" for loss in losses if loss is not None]


def _loss(trial: "FrozenTrial") -> float:
    """The loss of a finished trial; those of others come after it."""
    return trial.value if trial.state.name == "COMPLETE" and trial.value is not None else math.inf


def _epochs(trial: "FrozenTrial") -> str:
    return str(max(trial.intermediate_values, default="-"))


def _values(search: Search, trial: "FrozenTrial") -> list[str]:
    """The values of the settings that vary, as text."""
    values = [trial.params.get(varied.key, "") for varied in search.space]
    return [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]


def _importances(study: "Study") -> dict[str, float]:
    """The share of the differences in loss that each setting explains; none where there are too few trials."""
    import optuna

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that Optuna calls experimental
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    except (RuntimeError, ValueError):
        return {}


def _draw(search: Search, trials: "Sequence[FrozenTrial]", shares: dict[str, float], path: Path) -> None:
    """Draw the loss over each setting, those that mattered most first; pruned trials by their last loss, hollow."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    ended = [one for one in trials if _last_loss(one) is not None]
    space = sorted(search.space, key=lambda varied: -shares.get(varied.key, 0.0))
    figure = Figure((3.2 * len(space), 3.2), layout="constrained")
    axes = figure.subplots(1, len(space), sharey=True, squeeze=False)[0]
    for axis, varied in zip(axes, space, strict=True):
        share = f"\n{shares[varied.key]:.0%} of the differences" if varied.key in shares else ""
        axis.set(xlabel=varied.key, title=share.strip())
        if isinstance(varied, Range) and varied.log:
            axis.set_xscale("log")
        elif isinstance(varied, Range) and varied.whole:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        for finished, fill in ((True, "#3a86d4"), (False, "none")):
            chosen = [one for one in ended if (one.state.name == "COMPLETE") == finished]
            x = [_place(varied, one) for one in chosen]
            axis.scatter(x, [_last_loss(one) for one in chosen], 24, facecolors=fill, edgecolors="#3a86d4")
        if not isinstance(varied, Range):
            axis.set_xticks(range(len(varied.values)), varied.values)
    axes[0].set_ylabel("validation loss (hollow: pruned)")
    losses = [loss for one in ended if (loss := _last_loss(one)) is not None]
    if min(losses) > 0 and max(losses) > WIDE * min(losses):
        axes[0].set_yscale("log")
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=150))


def _place(varied: Any, trial: "FrozenTrial") -> float:
    value = trial.params[varied.key]
    return value if isinstance(varied, Range) else varied.values.index(value)


def _last_loss(trial: "FrozenTrial") -> float | None:
    if trial.state.name == "COMPLETE":
        return trial.value
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None
