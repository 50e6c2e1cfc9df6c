"""Replay whole training steps as CUDA graphs; `trainer.tricks=[all,cuda_graphs]` switches it on.

Gain: not measured yet, so "all" leaves it out; tests/test_cuda_rehearsal.py rehearses it without a GPU.

A step of a small model is some thirty kernels, each of which takes the CPU longer to launch than the GPU to run. A
graph launches them all at once: forward and backward pass, clipping and the optimiser's step. It reads learning rates
from 32-bit tensors, so unlike other tricks it changes the last bits of a training.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import lightning as L
import torch
from torch.optim import SGD, Adam, Optimizer

from zoo.data.splits import Batch
from zoo.engine._lightning import counted_update
from zoo.engine.means import MeanLoss
from zoo.engine.module import ZooModule
from zoo.engine.speed.fit import Fit, replaced

WARM_UPS = 3  # steps with batches of a shape before one is captured, in which libraries choose and prepare kernels


@contextlib.contextmanager
def cuda_graphs(fit: Fit) -> Iterator[None]:
    """Train by graphs on a GPU, where nothing needs every batch, and each batch is the same kind of update,
    from no state of the batch before."""
    module, on_gpu = fit.module, fit.trainer.strategy.root_device.type == "cuda"
    changes = module.accumulate > 1 or module.optim["sam"] or module.optim["anneal"] or module.task.stream
    if not on_gpu or fit.needs_every_batch or changes:
        yield
        return
    steps = Steps(module)
    with replaced(module, add_gradient=steps.add_gradient, update=steps.update):
        yield


class Steps:
    """Trains by a graph for each shape of a batch; they differ by one sample at most.

    Args:
        module: whose steps are captured. Its optimiser is SGD or Adam; others keep the plain step.
    """

    def __init__(self, module: ZooModule):
        self.module, self.plain_gradient, self.plain_update = module, module.add_gradient, module.update
        self.seen: Counter[Any] = Counter()
        self.graphs: dict[Any, StepGraph] = {}
        self.replayed = False

    def add_gradient(self, batch: Batch, share: float, mean: MeanLoss) -> None:
        """Train on a batch, or in a warm-up only add its gradient."""
        shape = tuple((name, value.shape, value.dtype) for name, value in batch.items())
        self.seen[shape] += 1
        self.replayed = self.seen[shape] > WARM_UPS and isinstance(self._optimizer().optimizer, SGD | Adam)
        if not self.replayed:
            with _side_stream():
                self.plain_gradient(batch, share, mean)
            return
        if shape not in self.graphs:
            self.graphs[shape] = StepGraph(self, batch, share)
        self.graphs[shape].replay(batch, mean)

    def update(self) -> None:
        """Update the weights, where a graph has not done so; count the update, and change the learning rate."""
        if not self.replayed:
            self.plain_update()
            return
        with counted_update(self._optimizer()):
            pass
        self.module.lr_schedulers().step()  # type: ignore[union-attr]

    def _optimizer(self) -> Any:
        return L.LightningModule.optimizers(self.module)  # Lightning's wrapper, also beside bare_steps


class StepGraph:
    """A step with batches of one shape, captured; what it reads and writes stays in place.

    Args:
        steps: of the training.
        batch: of the shape.
        share: of its loss in the update.
    """

    def __init__(self, steps: Steps, batch: Batch, share: float):
        module, self.optimizer = steps.module, steps._optimizer().optimizer
        self.batch = {name: value.clone() for name, value in batch.items()}
        self.rates = [torch.full((), group["lr"], device=module.device) for group in self.optimizer.param_groups]
        self.loss, self.graph = MeanLoss(), torch.cuda.CUDAGraph()
        self.optimizer.zero_grad()  # so that the gradients are the graph's own
        with _capturable(self.optimizer, self.rates), torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            steps.plain_gradient(self.batch, share, self.loss)
            if module.optim["clip"]:
                module.clip(module.optim["clip"])
            self.optimizer.step()
            self.optimizer.zero_grad()

    def replay(self, batch: Batch, mean: MeanLoss) -> None:
        """Train on a batch, at the optimiser's present rates, and add its loss to `mean`."""
        for name, value in batch.items():
            self.batch[name].copy_(value, non_blocking=True)
        for rate, group in zip(self.rates, self.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        self.graph.replay()
        mean.sum, mean.n = mean.sum + self.loss.sum, mean.n + self.loss.n


@contextlib.contextmanager
def _capturable(optimizer: Optimizer, rates: list[torch.Tensor]) -> Iterator[None]:
    """Let an optimiser's step be captured: with rates that are read from tensors, as a graph keeps numbers."""
    before = [dict(group) for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group.update(lr=rate, capturable=True)
    try:
        yield
    finally:
        for group, options in zip(optimizer.param_groups, before, strict=True):
            group.clear()
            group.update(options)


@contextlib.contextmanager
def _side_stream() -> Iterator[None]:
    """Compute on another stream than the default one, as graphs are captured on another too."""
    side, main = torch.cuda.Stream(), torch.cuda.current_stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        yield
    main.wait_stream(side)
