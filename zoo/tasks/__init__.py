"""What is learnt: one task a file, with its loss, metrics and answers."""

from typing import Any

from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec
from zoo.tasks.base import TASKS, Task


def create_task(spec: DataSpec, **options: Any) -> Task:
    """The task of a data set. Options that are None keep the task's default; others must be the task's own."""
    task = TASKS.get(spec.task)
    found = "float32" if spec.target.is_floating else spec.target.dtype, len(spec.target.shape)
    if found != task.target:
        raise UserError("task {} has targets of type {} and {} axes; data {} has {} and {}".format(
            spec.task, *task.target, spec.name, *found))  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    known = task.__init__.__annotations__
    for name in given:
        if name not in known:
            raise unknown_name(f"option of task {spec.task} (data {spec.name})", name, set(known) - {"spec", "return"})
    try:
        return task(spec, **given)
    except (TypeError, ValueError) as error:
        raise UserError(f"task {spec.task}: {error}") from error
