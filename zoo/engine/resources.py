"""Resolve "auto" settings from model, data and hardware."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from zoo.core.system import n_cores
from zoo.data.module import ZooDataModule
from zoo.data.splits import batches
from zoo.engine.families import ZooModule
from zoo.models.cost import multiply_adds

Config = Mapping[str, Any]
WORTH_THREADS = 6_000_000  # multiply-adds of a batch, forward, from which several threads are faster than one
WORTH_BF16 = 20_000_000  # ... from which computing in 16 bits saves more than its conversions cost


def fill_auto(config: Config, n: int) -> Config:
    """A config whose "auto"s that depend on the number of training samples, `n`, are filled in.

    Batches are a thirtieth of the samples, from 16 to 256; some 3,000 steps are taken in 10 to 100 epochs; the weight
    decay is 1,000 / n, from 0.01 to 3.
    """
    batch_size = min(max(2 ** round(math.log2(n / 32)), 16), 256)
    values = {
        ("data", "batch_size"): batch_size,
        ("trainer", "max_epochs"): min(max(math.ceil(3000 * batch_size / n), 10), 100),
        ("optim", "weight_decay"): min(max(1000 / n, 0.01), 3.0),
    }
    filled = {section: dict(config[section]) for section in ("data", "trainer", "optim")}
    for (section, key), value in values.items():
        if filled[section].get(key) == "auto":
            filled[section][key] = value
    return {**config, **filled}


def batch_work(module: ZooModule, data: ZooDataModule) -> int:
    """Multiply-adds of a training batch's forward passes: of all models in training, twice for `optim.sam`, and of a
    teacher."""
    inputs = module.inputs(next(batches(data.splits.train, 1)))
    work = multiply_adds(module.model_of(0), **inputs) * module.model.n_models * (2 if module.optim["sam"] else 1)
    if module.distillation is not None:
        work += multiply_adds(module.distillation.teacher, **inputs)
    return work * data.batch_size


def fit_machine(trainer: Config, work: int) -> Config:
    """A config's trainer section whose `precision` and `threads` of "auto" are filled in.

    Several threads, and 16 bits where the device is fast at them, are for batches whose work is worth it.

    Args:
        trainer: the section.
        work: multiply-adds of a batch.
    """
    on_cpu = trainer["accelerator"] == "cpu" or not torch.cuda.is_available()
    choices = {
        "precision": "bf16-mixed" if work >= WORTH_BF16 and _has_fast_bf16(on_cpu) else "32",
        "threads": min(torch.get_num_threads(), n_cores()) if work >= WORTH_THREADS else 1,
    }
    return {**trainer, **{key: value for key, value in choices.items() if trainer[key] == "auto"}}


def _has_fast_bf16(on_cpu: bool) -> bool:
    if on_cpu:
        return torch.cpu._is_avx512_bf16_supported()
    return torch.cuda.is_bf16_supported(including_emulation=False)
