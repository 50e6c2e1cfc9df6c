"""The verdict on a training, in one sentence: whether it beats the baselines, how it ended, and what to try."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.core.formatting import format_number

Values = Mapping[str, Any]
Points = Sequence[tuple[float, float]]  # epochs and values
NOISE = 2.0  # standard errors within which two scores count as equal
LATE, FALL = 0.2, 0.01  # still improving: in this last share of the epochs the loss fell by more than this share,
LEAST_FALL = 0.001  # and by more than this share of the first epoch's
EARLY, RISE = 0.6, 0.05  # overfitted: after this first share of the epochs it rose by more than this share
LEAST_WIDTH = 16  # that half of may do
N_TRIED = 2  # settings to try, at most


@dataclass(frozen=True)
class Course:
    """How a training went.

    Attributes:
        n_epochs: that it lasted.
        improving: whether it still improved at the end.
        overfitted: the epoch since which it overfitted, if it did.
        underfits: whether its training loss is no lower than that of validation.
    """

    n_epochs: int
    improving: bool = False
    overfitted: int | None = None
    underfits: bool = False


def verdict(metrics: Values, history: Mapping[str, Points], config: Values, score_mode: str) -> str:
    """Judge a training by its validation split; the test split has no say.

    Args:
        metrics: the content of metrics.json.
        history: the columns of metrics.csv.
        config: of the training, whose settings are what can be tried.
        score_mode: of the task: "max" or "min", whichever is better.
    """
    standing, is_good = _standing(metrics)
    course = _course(metrics, history, score_mode, is_good)
    ending = _ending(metrics, course)
    if not standing and not ending:
        ending = f"validation loss was lowest at epoch {metrics['epoch']} of {course.n_epochs}"
    better = [*_better(metrics, config, course)] if course.overfitted or not is_good else []
    advice = " or ".join([*_longer(metrics, course), *better][:N_TRIED])
    sentence = "; ".join(filter(None, (standing, ending, advice and f"try {advice}")))
    return f"{sentence[0].upper()}{sentence[1:]}."


def _course(metrics: Values, history: Mapping[str, Points], score_mode: str, is_good: bool) -> Course:
    losses, train, scores = (history.get(name, ()) for name in ("val/loss", "train/loss", f"val/{metrics['score']}"))
    n_epochs, by_validation = int(losses[-1][0]) if losses else 0, metrics.get("stopped") == "validation"
    underfits = underfitted(losses, train)
    if not by_validation and still_improving(losses):
        return Course(n_epochs, improving=True, underfits=underfits)
    overfitted = overfitted_since(losses, train)
    if overfitted and is_good and (by_validation or is_better(scores, overfitted, score_mode)):
        overfitted = None  # it returned to its best epoch, or grew surer of its mistakes, which are fewer
    return Course(n_epochs, overfitted=overfitted, underfits=underfits)


def still_improving(losses: Points) -> bool:
    """Whether the lowest validation loss came late, and was well below what came before."""
    n_late = max(1, round(LATE * len(losses)))
    before, late = ([loss for _, loss in part] for part in (losses[:-n_late], losses[-n_late:]))
    return bool(before) and min(before) - min(late) > max(FALL * abs(min(before)), LEAST_FALL * abs(before[0]))


def overfitted_since(losses: Points, train: Points) -> int | None:
    """The epoch of the lowest validation loss, if that came early and had risen where the training loss was lowest."""
    fitted = min(train, key=lambda point: point[1], default=(0, 0))[0]
    before = [point for point in losses if point[0] <= fitted]
    if len(before) < 3:
        return None
    best, lowest = min(before, key=lambda point: point[1])
    rose, fell = (lowest + sign * RISE * abs(lowest) for sign in (1, -1))
    later = min(loss for _, loss in losses)
    return int(best) if best <= EARLY * fitted and _at_end(before) > rose and later >= fell else None


def underfitted(losses: Points, train: Points) -> bool:
    """Whether the training loss is no lower than that of validation, where that is lowest."""
    best, lowest = min(losses, key=lambda point: point[1], default=(0, 0.0))
    return dict(train).get(best, -math.inf) > lowest - RISE * abs(lowest)


def is_better(scores: Points, epoch: int, mode: str) -> bool:
    """Whether a score is better at the end than at an epoch."""
    sign = 1 if mode == "max" else -1
    return epoch in dict(scores) and sign * (_at_end(scores) - dict(scores)[epoch]) > 0


def _at_end(points: Points) -> float:
    """The median of the last three values."""
    return statistics.median(value for _, value in points[-3:])


def _standing(metrics: Values) -> tuple[str, bool]:
    """How the model's score compares with the best naive answer and the best reference, and whether that is good."""
    score = metrics["score"]
    naive, reference = (_best_baseline(metrics, is_naive) for is_naive in (True, False))
    if naive and not any(_lead(naive[1], key) > 0 for key in (score, "loss")):
        how = "not clearly better than" if naive[1]["better_by"][score] > 0 else "no better than"
        return _compared(how, *naive, metrics) + _does_better(reference, score), False
    if reference and _lead(reference[1], score, -1) > 0:
        return _compared("behind", *reference, metrics), False
    if reference and not _lead(reference[1], score) > 0:
        return _compared("about as good as", *reference, metrics), True
    rival = reference or naive
    return (_compared("better than", *rival, metrics), True) if rival else ("", True)


def _best_baseline(metrics: Values, is_naive: bool) -> tuple[str, Values] | None:
    """The name and the facts of the baseline, naive or not, that the model's score is least ahead of."""
    found = [one for one in metrics.get("baselines", {}).items() if one[1]["naive"] == is_naive]
    return min(found, key=lambda one: one[1]["better_by"][metrics["score"]], default=None)


def _lead(facts: Values, key: str, sign: int = 1) -> float:
    """By how much a model is better than a baseline, or worse where `sign` is -1, beyond what may be chance."""
    error = facts["standard_error"][key]
    return sign * facts["better_by"][key] - (math.inf if error is None else NOISE * error)


def _compared(how: str, name: str, facts: Values, metrics: Values) -> str:
    score = metrics["score"]
    ours, theirs = (format_number(one["val"][score]) for one in (metrics, facts))
    return f"{how} {'the ' * facts['naive']}{name} (validation {score} {ours} against {theirs})"


def _does_better(reference: tuple[str, Values] | None, score: str) -> str:
    """The name of a reference whose score is better, be it by chance, and that score."""
    if not reference or reference[1]["better_by"][score] >= 0:
        return ""
    return f"; {reference[0]} does better: {format_number(reference[1]['val'][score])}"


def _ending(metrics: Values, course: Course) -> str:
    if course.n_epochs == 1:
        return "one epoch shows little"
    if course.improving:
        return "validation loss was still falling at the end"
    if course.overfitted is None:
        return ""
    kept = f", and epoch {metrics['epoch']} was kept" if _kept_later(metrics, course) else ""
    return f"overfitted since epoch {course.overfitted}{kept}"


def _kept_later(metrics: Values, course: Course) -> bool:
    """Whether the weights are of a later epoch than the best, unless the training returned to that one before."""
    return metrics["epoch"] != course.overfitted and metrics.get("stopped") != "validation"


def _longer(metrics: Values, course: Course) -> Iterator[str]:
    """The setting of a training twice as long, where that may help."""
    seconds = 2 * metrics["seconds"]["fit"]
    if not course.improving and course.n_epochs != 1:
        return
    if metrics.get("stopped") != "budget":
        yield f"trainer.max_epochs={2 * course.n_epochs}"
    else:
        yield f"budget={round(seconds / 60)}min" if seconds > 90 else f"budget={max(10, 10 * round(seconds / 10))}s"


def _better(metrics: Values, config: Values, course: Course) -> Iterator[str]:
    """Settings that may help, the likeliest first."""
    model, lr = config["model"], config["optim"].get("lr")
    width = model.get("width")
    if course.overfitted:
        if _kept_later(metrics, course):
            yield "trainer.keep=best"
        if model.get("dropout", 1.0) < 0.5:
            yield f"model.dropout={model['dropout'] + 0.2:.1f}"
        if isinstance(width, int) and width >= LEAST_WIDTH:
            yield f"model.width={width // 2}"
        yield "more data"
    elif course.underfits and isinstance(width, int):
        yield f"model.width={2 * width}"
    if lr is not None:
        yield f"another optim.lr than {lr:g}"
