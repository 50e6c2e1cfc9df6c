"""Settings of the task that come with a model and that the task of the data does not have, or that change the spec."""

from dataclasses import replace

from zoo.core.rank_zero import rank_zero_print
from zoo.core.spec import DataSpec
from zoo.settings.conf_files import settings_with_model
from zoo.settings.training_config import TrainingConfig
from zoo.tasks import TASKS, create_task


def drop_foreign_settings(config: TrainingConfig, spec: DataSpec) -> TrainingConfig:
    """Drop, with a printed line, settings of the task that the model's file or recipes bring for another task; those
    that the user gave stay, and are refused later."""
    known = TASKS.get(spec.task).__init__.__annotations__
    foreign = {name: value for name, value in config.task.items() if value is not None and name not in known}
    if not foreign:
        return config
    brought = settings_with_model(config.model["name"], "task", config.zoo_path)
    dropped = {name: value for name, value in foreign.items() if (name, value) in brought}
    for name, value in dropped.items():
        rank_zero_print(f"left out: task.{name}={value} of {config.model['name']}, which {spec.task} does not have")
    return replace(config, task={**config.task, **dict.fromkeys(dropped)})


def spec_with_head(config: TrainingConfig, spec: DataSpec) -> DataSpec:
    """The spec with as many numbers for each value as the head of the task gives."""
    if config.task.get("head") is None or "head" not in TASKS.get(spec.task).__init__.__annotations__:
        return spec
    options = {name: config.task.get(name) for name in ("head", "quantiles")}
    return replace(spec, n_per_value=len(create_task(spec, **options).numbers))
