"""The module of a training before its first step."""

from typing import cast

import lightning as L

from zoo.core.errors import UserError
from zoo.core.rank_zero import rank_zero_print
from zoo.data.splits import Batches, Splits, each_value_once
from zoo.engine.distillation import Distillation
from zoo.engine.families import create_module
from zoo.engine.module import ZooModule
from zoo.engine.new_head import fit_new_head
from zoo.engine.speed.stacked import stack
from zoo.inference.finetuning import HEAD, copy_weights
from zoo.inference.held_out import check_compatible, warn_about_leakage
from zoo.inference.predictor import Predictor
from zoo.inference.pretrained import load
from zoo.models.model import Model
from zoo.settings.training_config import TrainingConfig


def initial_module(config: TrainingConfig, splits: Splits) -> ZooModule:
    """Create a module with a model for each of the config's seeds, with fresh or finetuned weights, and its teacher.

    Preprocessing is fitted on the training split.
    """
    start = None if config.finetune is None else _load(config.finetune, config, splits)
    modules = [_seeded_module(seed, start, config, splits) for seed in config.all_seeds]
    module = modules[0] if len(modules) == 1 else stack(modules)
    module.distillation = _distillation(module, config, splits)
    return module


def _seeded_module(seed: int, start: Predictor | None, config: TrainingConfig, splits: Splits) -> ZooModule:
    L.seed_everything(seed, verbose=False)
    sections = {"model": dict(config.model), "task": dict(config.task), "optim": dict(config.optim)}
    module = create_module(spec=splits.spec.to_json(), **sections)
    model = cast(Model, module.model)
    model.fit(each_value_once(splits.train), Batches(splits.train))
    if start is not None:
        new = copy_weights(model, splits.spec, start, str(config.finetune))
        model.refit(Batches(splits.train))  # as the copied preprocessing scales them
        is_fitted = any(name.startswith(HEAD) for name in new) and fit_new_head(model, module.task, splits.train)
        head = ", with a new head, fitted to the training split" if is_fitted else f", but new: {', '.join(new)}"
        rank_zero_print(f"weights from {config.finetune}" + head * bool(new))
    return module


def _distillation(module: ZooModule, config: TrainingConfig, splits: Splits) -> Distillation | None:
    distill = config.distill
    if distill.teacher is None:
        return None
    teacher = _load(distill.teacher, config, splits)
    check_compatible(teacher.spec, splits.spec)
    ours, theirs = (", ".join(task.numbers) for task in (module.task, teacher.task))
    if ours != theirs:
        raise UserError(f"a teacher has the task.head of its student; distill.teacher gives {theirs}, not {ours}")
    return Distillation(module.task, teacher.model, weight=distill.weight, temperature=distill.temperature)


def _load(weights: str, config: TrainingConfig, splits: Splits) -> Predictor:
    """Load a trained model to start or to learn from; warn where it may have seen held-out samples."""
    trained = load(weights)
    warn_about_leakage(trained, weights, splits, config.data)
    return trained
