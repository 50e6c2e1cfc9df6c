"""Tasks: one file per task, with its loss, metrics, answers and panel of the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.tasks.base import TASKS, Task
from zoo.tasks.library import is_metric

__all__ = ["TASKS", "Task", "create_task", "trained_task"]


def create_task(spec: DataSpec, **options: Any) -> Task:
    """The task of a data set. Options that are None keep the task's default; others must be the task's own.

    Raises:
        UserError: for an unknown task or option, or a spec that breaks a rule of the task.
    """
    task = TASKS.get(spec.task)
    for rule, holds in task.rules(spec).items():
        if not holds:
            raise UserError(
                f"task {spec.task} has {rule}; data {spec.name} has targets of type {spec.target.dtype} and "
                f"{len(spec.target.shape)} axes, {spec.n_outputs} outputs and {len(spec.class_names)} names of classes"
            )
    given = {name: value for name, value in options.items() if value is not None}
    known = task.__init__.__annotations__
    for name in given:
        if name not in known:
            kind = f"option of task {spec.task} (data {spec.name})"
            problem = unknown_name(kind, name, set(known) - {"spec", "return"})
            raise UserError(f"{problem}\nswitch it off with task.{name}=null")
    try:
        return task(spec, **given)
    except (TypeError, ValueError) as error:
        raise UserError(f"task {spec.task}: {error}") from error


def trained_task(spec: DataSpec, card: Mapping[str, Any]) -> Task:
    """The task of a trained model, with those options of its training that are its `loaded_options`; metrics that are
    unknown here, such as of a user's folder that was not added, are left out."""
    config = card.get("config")
    options = config.get("task") if isinstance(config, Mapping) else None
    options = options if isinstance(options, Mapping) else {}
    loaded = {name: options[name] for name in TASKS.get(spec.task).loaded_options if options.get(name) is not None}
    metrics = loaded.pop("metrics", ())
    task = create_task(spec, **loaded)
    if len(task.numbers) != spec.n_per_value:
        raise UserError(
            f"the model gives {spec.n_per_value} numbers for each value; its task: {', '.join(task.numbers)}"
        )
    names = [metrics] if isinstance(metrics, str) else metrics if isinstance(metrics, Sequence) else ()
    known = [name for name in names if is_metric(task, name)]
    return create_task(spec, **loaded, metrics=known) if known else task
