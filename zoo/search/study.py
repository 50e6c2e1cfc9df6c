"""Run the trials of a search, which the same command resumes after a kill."""

import json
import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import AcquireReturnProxy, FileLock, Timeout

from zoo.core.console import echo
from zoo.core.errors import DivergedError, InterruptedTraining, UserError
from zoo.core.formatting import format_number, format_seconds
from zoo.core.run_listing import record_failure
from zoo.search.space import Space, combinations, default_params, n_combinations
from zoo.search.trial import LOG, Pruned, read_config, run_trial

if TYPE_CHECKING:
    from optuna import Study, Trial

STORAGE = "search.sqlite"
DEFAULTS = "defaults"  # marks the trial of them
UNPRUNED = 5  # trials before any is pruned, and epochs of each
MISTAKES = 3  # trials that end with the user's mistake, and none with a loss, before the search ends


@dataclass(frozen=True)
class Search:
    """A search over settings.

    Attributes:
        settings: of all trials, as words.
        space: the settings that vary.
        folder: of the search; a trial's is in it.
        n_trials: in all, those of before a kill included.
        seed: of the choice of settings.
    """

    settings: Sequence[str]
    space: Space
    folder: Path
    n_trials: int
    seed: int = 0


def run_search(search: Search) -> "Study":
    """Run the trials that are still to do, and return Optuna's study of all.

    A failed trial does not end the search. A trial that a kill or a signal ended is resumed from its checkpoint.

    Raises:
        UserError: for settings that do not fit together, and a folder of another search.
        InterruptedTraining: on a signal.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for number in range(max(len(varied.examples) for varied in search.space)):
        words = [varied.examples[number % len(varied.examples)] for varied in search.space]
        _check(read_config([*search.settings, *words], search.folder)[0])
    search.folder.mkdir(parents=True, exist_ok=True)
    with _locked(search.folder):
        study = _open_study(search)
        _requeue_interrupted(study)
        while (n := _n_done(study)) < search.n_trials:
            _run_next(search, study, n + 1)
        return study


def folder_of(trial: Any) -> str:
    """The name of a trial's folder, in that of the search."""
    return trial.user_attrs.get("folder", f"{trial.number:03d}")


def _check(config: dict[str, Any]) -> None:
    """Check what a trial takes, and add the user's own folder."""
    if config["seeds"] is not None:
        raise UserError("a trial trains one seed: seed=0; give seeds= to the training of the settings that you choose")
    if config["trainer"]["devices"] not in (1, "1") or config["trainer"]["strategy"] != "auto":
        raise UserError("a search trains each trial in one process; take trainer.devices=1 trainer.strategy=auto")
    if config.get("zoo_path"):
        import zoo

        zoo.add_path(config["zoo_path"])


def _locked(folder: Path) -> AcquireReturnProxy:
    """Lock the folder against another search until the end of a `with`."""
    try:
        return FileLock(folder / ".lock", timeout=0).acquire()
    except Timeout as error:
        raise UserError(f"run_dir={folder} is in use by another search; give another run_dir") from error


def _open_study(search: Search) -> "Study":
    """Open or create the study; UserError where the folder holds one of other settings."""
    import optuna

    study = optuna.create_study(
        study_name="search",
        storage=f"sqlite:///{search.folder / STORAGE}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=UNPRUNED),
    )
    study.sampler = optuna.samplers.TPESampler(seed=search.seed + len(study.trials))  # or a resume would repeat trials
    now = json.dumps([sorted(search.settings), sorted(map(str, search.space))])
    if study.user_attrs.setdefault("settings", now) != now:
        raise UserError(
            f"run_dir={search.folder} holds a search of other settings; give another run_dir, or the same settings"
        )
    study.set_user_attr("settings", now)
    if not study.trials:
        _enqueue_defaults(search, study)
    if search.n_trials == n_combinations(search.space):
        for params in combinations(search.space):
            study.enqueue_trial(params, skip_if_exists=True)
    return study


def _enqueue_defaults(search: Search, study: "Study") -> None:
    """Begin with the defaults where they are in the space, so that the search shows what it brings."""
    if not all("." in varied.key for varied in search.space):  # a model or another file of settings, with its own
        return
    if params := default_params(search.space, read_config(search.settings, search.folder)[0]):
        study.enqueue_trial(params, user_attrs={DEFAULTS: True})


def _requeue_interrupted(study: "Study") -> None:
    """Queue the trials that a kill ended again, with their settings and their folders."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.set_user_attr("interrupted", [*study.user_attrs.get("interrupted", []), trial.number])
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={**trial.user_attrs, "folder": folder_of(trial)})


def _n_done(study: "Study") -> int:
    n_interrupted = len(study.user_attrs.get("interrupted", []))
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False)) - n_interrupted


def _run_next(search: Search, study: "Study", number: int) -> None:
    """Run one trial, and print how it ended."""
    from optuna.trial import TrialState

    trial, start = study.ask(), time.perf_counter()
    words = [varied.suggest(trial) for varied in search.space]
    folder = search.folder / folder_of(trial)
    try:
        settings = [*search.settings, *words]
        loss = run_trial(settings, folder, lambda loss, epoch: _report(trial, loss, epoch), is_first=number == 1)
        if not math.isfinite(loss):
            raise DivergedError(f"val loss {loss}")
        study.tell(trial, loss)
        outcome = f"val loss {format_number(loss)}" + " (best so far)" * (study.best_trial.number == trial.number)
    except InterruptedTraining as error:  # the trial stays as it is, to be resumed
        error.args = (f"interrupted by signal {error.signum}; the same command resumes the search",)
        raise
    except Pruned as pruned:
        study.tell(trial, state=TrialState.PRUNED)
        record_failure(folder, trial.number, 0, str(pruned))
        outcome = str(pruned)
    except Exception as error:
        study.tell(trial, state=TrialState.FAIL)
        outcome = _failed(error, folder, trial.number)
        _end_if_all_are_mistakes(study, error)
    left = (search.n_trials - number) * _mean_seconds(study)
    times = format_seconds(time.perf_counter() - start) + f", {format_seconds(left)} left" * (left > 0)
    echo(f"trial {number}/{search.n_trials}  {outcome}  {times}  {' '.join(words)}", flush=True)


def _report(trial: "Trial", loss: float, epoch: int) -> bool:
    if math.isfinite(loss):
        trial.report(loss, epoch)
    return trial.should_prune()


def _failed(error: Exception, folder: Path, number: int) -> str:
    """Record a failure; of an error that is no mistake and no divergence the traceback goes to the trial's log."""
    code = {DivergedError: 3, UserError: 2}.get(type(error), 1)
    message = str(error) if code > 1 else f"{type(error).__name__}: {error}"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOG, "a", encoding="utf-8") as log:
        log.writelines(traceback.format_exception(error))
    record_failure(folder, number, code, message)
    first = (message.splitlines() or [""])[0]
    return f"failed: {first}" + f" (see {folder / LOG})" * (code == 1)


def _end_if_all_are_mistakes(study: "Study", error: Exception) -> None:
    """Raise the error where the first trials all failed: then the settings that they share are wrong."""
    states = [trial.state.name for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    if isinstance(error, UserError) and len(states) >= MISTAKES and set(states) == {"FAIL"}:
        raise error


def _mean_seconds(study: "Study") -> float:
    seconds = [trial.duration.total_seconds() for trial in study.get_trials(deepcopy=False) if trial.duration]
    return sum(seconds) / max(1, len(seconds))
