"""What "auto" stands for in a config: rules, found by measurement, on the data, the model and the machine. They give
the same on the same machine, so that a training can be repeated and resumed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import SingleDeviceStrategy

from zoo.data.module import ZooDataModule
from zoo.data.splits import batches
from zoo.errors import UserError
from zoo.models.cost import multiply_adds
from zoo.modules import ZooModule
from zoo.system import n_cores

Config = Mapping[str, Any]
WORTH_THREADS = 6_000_000  # multiply-adds of a batch, forward, from which several threads are faster than one
WORTH_BF16 = 20_000_000  # ... from which computing in 16 bits saves more than its conversions cost
PER_SECOND = 5e9  # multiply-adds of a core in a training step
GROUP_SECONDS, GROUP_STEPS = 0.1, 32  # how long a group of steps may take, and how many it may be


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


def group_steps(
    trainer: L.Trainer, module: ZooModule, data: ZooDataModule, callbacks: Sequence[Callback], work: int
) -> None:
    """Let short steps be taken several at once, as Lightning's own work for a batch, about a millisecond, is then done
    once for all of them. Results do not change. Where anything counts or follows single batches, each stays alone.

    Args:
        trainer: of the training.
        module: told whether it updates the weights by itself.
        data: told how many batches make a group.
        callbacks: not the zoo's own.
        work: multiply-adds of a batch.
    """
    every = trainer.val_check_interval  # after so many batches, or a share of them if it is a float
    if isinstance(every, int) and module.accumulate > 1:
        trainer.val_check_interval = _in_groups(every, module.accumulate)
    module.on_its_own = (
        isinstance(trainer.strategy, SingleDeviceStrategy)
        and getattr(trainer.precision_plugin, "scaler", None) is None
        and isinstance(every, float)
        and every == 1
        and trainer.max_steps == -1
        and not any(_follows_batches(callback) for callback in callbacks)
    )
    seconds = 1e-3 + work / PER_SECOND
    n = max(1, min(int(GROUP_SECONDS / seconds), GROUP_STEPS)) if module.on_its_own else 1
    data.at_once = n * module.accumulate
    if trainer.limit_train_batches:  # the data give no more, as Lightning would count groups
        data.limit, trainer.limit_train_batches = trainer.limit_train_batches, 1.0


def _in_groups(n: int, accumulate: int) -> int:
    """`n` batches in groups of `accumulate`."""
    if n % accumulate:
        raise UserError(
            "a validation follows an update: trainer.val_check_interval is a multiple of "
            f"trainer.accumulate_grad_batches={accumulate}; got {n}"
        )
    return n // accumulate


def _follows_batches(callback: Callback) -> bool:
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in BATCH_HOOKS)


BATCH_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
