"""Resolve "auto" settings from model, data and hardware."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from zoo.core.spec import DataSpec
from zoo.core.system import n_cores
from zoo.data.module import ZooDataModule
from zoo.data.splits import Split, TensorSplit, batches
from zoo.engine._lightning import has_fast_bf16
from zoo.engine.module import ZooModule
from zoo.models import MODELS
from zoo.models.cost import multiply_adds
from zoo.optim.factory import complete_optim
from zoo.settings.training_config import TrainingConfig

Config = Mapping[str, Any]
BUDGET = "3min"
# of a batch's forward pass:
MULTIPLY_ADDS_FOR_THREADS = 6_000_000  # from here several threads are faster than one
MULTIPLY_ADDS_FOR_BF16 = 20_000_000  # from here bfloat16 saves more than its conversions cost


def fill_auto(config: TrainingConfig, n: int, spec: DataSpec) -> TrainingConfig:
    """Resolve the "auto" settings that depend on the number of training samples, `n`, and on what a sample is.

    A batch is a thirtieth of the samples, from 16 to 256, of sequences to 32; the weight decay is 1,000 / n, from 0.01
    to 3. Without a number of epochs a training lasts until validation stops improving, within a budget; without
    patience, for some 3,000 steps in 10 to 100 epochs.
    """
    data, trainer, optim = {**config.data}, {**config.trainer}, complete_optim(config.optim)
    is_open = trainer["max_epochs"] == "auto" and trainer.get("patience") is not None
    has_time = any("time" in one.axes for one in spec.inputs.values())
    batch_size = min(max(2 ** round(math.log2(n / 32)), 16), 32 if has_time else 256)
    epochs = 3000 * batch_size / n
    ten_times = min(max(math.ceil(10 * epochs), 10), 1000)
    _fill(trainer, patience=min(max(math.ceil(epochs / 2), 8), 50) if is_open else None)
    keeps_best = data.get("epochs") == "auto" or trainer.get("patience") is not None
    _fill(trainer, max_epochs=ten_times if is_open else min(max(math.ceil(epochs), 10), 100))
    _fill(trainer, keep="best" if keeps_best else "last")
    _fill(data, batch_size=batch_size, epochs=trainer["max_epochs"], **_window(spec))
    optim["schedule"] = {**optim["schedule"]}
    _fill(optim["schedule"], name="trapezoidal" if is_open else "one_cycle")
    _fill(optim, weight_decay=min(max(1000 / n, 0.01), 3.0))
    budget = (BUDGET if is_open else None) if config.budget == "auto" else config.budget
    return replace(config, data=data, trainer=trainer, optim=optim, budget=budget)


def suit_model(config: TrainingConfig, train: Split, spec: DataSpec) -> TrainingConfig:
    """Replace keywords of the model that are null by what suits the size of the training split."""
    suited = MODELS.get(config.model["name"]).suited(n_targets(train, spec))
    chosen = {key: value for key, value in suited.items() if config.model.get(key) is None}
    return replace(config, model={**config.model, **chosen})


def n_targets(split: Split, spec: DataSpec) -> int:
    """The targets of a split: one for each sample, or for each step; padding of a long text's last window counts."""
    columns = split.columns if isinstance(split, TensorSplit) and None in spec.target.shape else {}
    if "lengths" in columns:
        return int(columns["lengths"].sum())
    return columns["target"].numel() if columns else len(split)  # type: ignore[arg-type]


def _window(spec: DataSpec) -> dict[str, Any]:
    """The steps of a window of a series to forecast; nothing of other data."""
    if "horizon" not in spec.target.axes:
        return {}
    return {"look_back": spec.inputs["sequence"].shape[0], "horizon": spec.target.shape[0]}


def _fill(section: dict[str, Any], **values: Any) -> None:
    """Set each key of a section that is "auto"."""
    section |= {key: value for key, value in values.items() if section.get(key) == "auto"}


def batch_work(module: ZooModule, data: ZooDataModule) -> int:
    """Multiply-adds of a training batch's forward passes: of all models in training, twice with `optim.sam`, and of the
    teacher."""
    inputs = module.inputs(module.without_padding(next(batches(data.splits.train, 1))))
    work = multiply_adds(module.new_model(), **inputs) * module.n_models * (2 if module.optim["sam"] else 1)
    if module.distillation is not None:
        work += multiply_adds(module.distillation.teacher, **inputs)
    return work * (data.batch_size + module.n_candidates)


def fit_machine(trainer: Config, work: int) -> Config:
    """Resolve `precision: auto` and `threads: auto` of a config's trainer section.

    Args:
        trainer: the section.
        work: multiply-adds of a batch; small batches train on one thread in 32 bits.
    """
    on_cpu = trainer["accelerator"] == "cpu" or not torch.cuda.is_available()
    choices = {
        "precision": "bf16-mixed" if work >= MULTIPLY_ADDS_FOR_BF16 and has_fast_bf16(on_cpu) else "32",
        "threads": min(torch.get_num_threads(), n_cores()) if work >= MULTIPLY_ADDS_FOR_THREADS else 1,
    }
    return {**trainer, **{key: value for key, value in choices.items() if trainer[key] == "auto"}}
