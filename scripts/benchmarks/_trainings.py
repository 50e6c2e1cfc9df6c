"""One training, three ways: in the zoo, in a hand-written loop, and with Lightning's defaults."""

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from benchmarks._case import Case, zoo_data, zoo_module
from benchmarks._measure import now
from zoo.engine.resources import batch_work
from zoo.engine.speed.cuda_check import cuda_check
from zoo.engine.speed.fit import Fit
from zoo.engine.speed.malloc import malloc
from zoo.engine.speed.tricks import speed_up
from zoo.engine.trainer import create_trainer

Epoch = Callable[[], Iterator[list[Tensor]]]


@dataclass
class Times:
    """Seconds of one training.

    Attributes:
        training: of each epoch's steps, without validation.
        fit: of the whole fit.
        memory: peak on the GPU in MiB; 0 without one.
    """

    training: list[float]
    fit: float
    memory: float = 0.0

    @property
    def settled(self) -> list[float]:
        """`training` without the first epoch, which warms up."""
        return self.training[1:] or self.training


def ours(case: Case, clock: "Clock | None" = None) -> Times:
    """Train as `zoo.train` does, with all callbacks, and a user's callback `clock`."""
    module, data, clock = zoo_module(case), zoo_data(case), clock or Clock()
    with tempfile.TemporaryDirectory() as folder, _prepared(case):
        trainer = create_trainer(Path(folder), case.config["trainer"], module, [clock], [])
        with speed_up(
            case.config["trainer"].get("tricks", "all"), Fit(trainer, module, data, [clock], batch_work(module, data))
        ):
            return _fit(lambda: trainer.fit(module, data), clock)


def defaults(case: Case) -> Times:
    """Train with Lightning's defaults, without the progress bar."""
    clock, batch_size = Clock(), case.config["data"]["batch_size"]
    train, val = (TensorDataset(*case.columns(split)) for split in ("train", "val"))
    with tempfile.TemporaryDirectory() as folder, _prepared(case):
        trainer = L.Trainer(
            max_epochs=case.n_epochs,
            accelerator=case.device.type,
            devices=1,
            precision=case.config["trainer"]["precision"],
            default_root_dir=folder,
            enable_progress_bar=False,
            callbacks=[clock],
        )
        loaders = (DataLoader(train, batch_size, shuffle=True), DataLoader(val, 1000))
        return _fit(lambda: trainer.fit(Plain(case.by_hand(), case.splits.spec.n_outputs), *loaders), clock)


def by_hand(case: Case, epoch: Epoch | None = None) -> Times:
    """Train in a minimal hand-written loop, with the zoo's malloc settings.

    Args:
        case: what to train.
        epoch: yields an epoch's batches (inputs and target) on the device; None: index tensors on the device.
    """
    with _prepared(case), malloc(), cuda_check():
        clock = Clock()
        return _fit(lambda: _loop(case, clock, epoch or _indexed(case)), clock)


def _indexed(case: Case) -> Epoch:
    columns = [column.to(case.device) for column in case.columns("train")]

    def epoch() -> Iterator[list[Tensor]]:
        for index in torch.randperm(len(columns[0]), device=case.device).tensor_split(case.n_steps):
            yield [column[index] for column in columns]

    return epoch


def _loop(case: Case, clock: "Clock", epoch: Epoch) -> None:
    network = case.by_hand().to(case.device)
    forward = torch.autocast(case.device.type, torch.bfloat16)(network) if case.bf16 else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    for _ in range(case.n_epochs):
        clock.start()
        network.train()
        for *inputs, target in epoch():
            loss = F.cross_entropy(forward(*inputs).float(), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        clock.stop()
        network.eval()
        accuracy(case, forward)


@torch.no_grad()
def accuracy(case: Case, forward: Callable[..., Tensor]) -> float:
    """Return the accuracy of `forward` on the validation split."""
    columns = [column.to(case.device) for column in case.columns("val")]
    hits = 0
    for batch in zip(*(column.split(1000) for column in columns), strict=True):
        hits += (forward(*batch[:-1]).argmax(1) == batch[-1]).sum()
    return float(hits) / len(columns[0])


class Plain(L.LightningModule):
    """A minimal LightningModule that logs loss and accuracy, as in Lightning's guide."""

    def __init__(self, network: nn.Module, n_classes: int):
        super().__init__()
        self.network = network
        self.train_accuracy, self.val_accuracy = MulticlassAccuracy(n_classes), MulticlassAccuracy(n_classes)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self._measured(batch, "train", self.train_accuracy)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self._measured(batch, "val", self.val_accuracy)

    def _measured(self, batch: list[Tensor], split: str, metric: MulticlassAccuracy) -> Tensor:
        *inputs, target = batch
        output = self.network(*inputs)
        loss = F.cross_entropy(output, target)
        metric(output, target)
        self.log(f"{split}/loss", loss)
        self.log(f"{split}/accuracy", metric)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)


class Clock(Callback):
    """Times each epoch's steps, from the start of the epoch to the start of validation."""

    def __init__(self) -> None:
        self.training: list[float] = []

    def start(self) -> None:
        self._start = now()

    def stop(self) -> None:
        self.training.append(now() - self._start)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.stop()


class Follower(Clock):
    """Follows every batch, so that the zoo does not group steps."""

    def on_train_batch_end(self, *_: Any) -> None:
        """Do nothing."""


def _fit(task: Callable[[], None], clock: Clock) -> Times:
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    start = now()
    task()
    fit = now() - start
    return Times(clock.training, fit, torch.cuda.max_memory_allocated() / 2**20 if on_gpu else 0.0)


@contextlib.contextmanager
def _prepared(case: Case) -> Iterator[None]:
    """Set the case's threads and a fixed seed, and suppress output."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(case.config["trainer"]["threads"])
    torch.manual_seed(0)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)
