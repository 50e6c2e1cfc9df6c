"""Metrics by name: those that users register, and those of torchmetrics.

`task.metrics=[CohenKappa,mine]` adds torchmetrics' class of that name for the kind of task, as MulticlassCohenKappa,
and the user's `@METRICS.register("family/mine")`, a function of the spec that gives a `torchmetrics.Metric`.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError, unknown_name
from zoo.core.registry import Registry
from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torchmetrics import Metric

    from zoo.tasks.base import Task

METRICS: "Registry[Callable[[DataSpec], Metric]]" = Registry("metric", "METRICS")
NOT_NUMBERS = re.compile(".*Curve|ROC|ConfusionMatrix|StatScores")  # classes that compute more than one number


def create_metrics(task: "Task", names: Iterable[str]) -> "dict[str, Metric]":
    """New metrics by the names that they are reported by.

    Raises:
        UserError: for a name that is unknown, or of a metric that needs arguments or computes no number.
    """
    return dict(_create(task, str(name)) for name in names)


def is_metric(task: "Task", name: object) -> bool:
    """Whether there is a metric of this name for the task."""
    return str(name) in (*_own_names(task), *_classes(task))


def reported_name(name: str) -> str:
    """The name in snake case, such as cohen_kappa for CohenKappa.

    >>> reported_name("MatthewsCorrCoef"), reported_name("AUROC"), reported_name("R2Score")
    ('matthews_corr_coef', 'auroc', 'r2_score')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def meaning(task: "Task", name: str) -> str:
    """What a metric means: the first sentence of its docstring."""
    made: Any = METRICS.get(f"{task.family}/{name}") if name in _own_names(task) else _classes(task)[name]
    sentence = re.split(r"\.\s|\n\s*\n|\.$", (inspect.getdoc(made) or "").strip())[0]
    sentence = re.sub(r"^(Calculates?|Computes?) (the )?", "", sentence.strip())
    return re.sub(r"`_*|_(?=\W|$)|<[^>]*>", "", " ".join(sentence.split()))


def _create(task: "Task", name: str) -> "tuple[str, Metric]":
    if name in _own_names(task):
        return name, METRICS.get(f"{task.family}/{name}")(task.spec)
    classes = _classes(task)
    if name not in classes:
        raise unknown_name(f"metric of task {task.spec.task}", name, [*_own_names(task), *classes])
    try:
        return reported_name(name), adapted(task, classes[name])
    except (TypeError, ValueError) as error:
        how = f'a function of the spec below @METRICS.register("{task.family}/mine") can give them'
        raise UserError(f"task.metrics takes metrics without arguments; {name} needs some ({error})\n{how}") from error


def _own_names(task: "Task") -> list[str]:
    return [entry.removeprefix(f"{task.family}/") for entry in METRICS.names(f"{task.family}/*")]


def _classes(task: "Task") -> dict[str, Any]:
    """Torchmetrics' classes for the task's kind, by their names without it."""
    import torchmetrics

    module = torchmetrics.classification if task.metric_prefix else torchmetrics.regression
    names = [name for name in module.__all__ if name.startswith(task.metric_prefix)]
    classes = {name.removeprefix(task.metric_prefix): getattr(module, name) for name in names}
    return {name: entry for name, entry in classes.items() if not NOT_NUMBERS.fullmatch(name)}


def adapted(task: "Task", base: Any, pick: int | None = None, **arguments: Any) -> "Metric":
    """A metric of a class of torchmetrics that takes the task's outputs and computes one number.

    Args:
        task: maps outputs to what the class takes, and says how many classes or values there are.
        base: the class.
        pick: of the values for each class that are computed, the number of one; None for the mean of those that are
            not NaN.
        arguments: of the class, beside those sizes.
    """
    from zoo.tasks.metrics import Adapted

    sizes = {size: n for size, n in task.metric_sizes().items() if size in inspect.signature(base).parameters}
    return Adapted(base(**sizes, **arguments), task.metric_input, pick)
