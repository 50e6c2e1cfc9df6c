"""The loss and the metrics of a task over the batches of a split, and how much its score varies within the split."""

import torch
from torch import Tensor

from zoo.tasks.base import Scale, Task

N_BLOCKS = 10


class Scores:
    """The loss, on the scale it is trained on, and the metrics of a task.

    Args:
        task: whose they are.
        scale: standardises values in the target's units.
        device: of the outputs.
    """

    def __init__(self, task: Task, scale: Scale, device: torch.device | str = "cpu"):
        self.task, self.scale, self.metrics = task, scale, task.metrics().to(device)
        self._total, self._n = torch.zeros((), dtype=torch.float64), 0.0

    def update(self, output: Tensor, target: Tensor) -> None:
        """Add a batch of outputs and targets, both in the target's units."""
        self.task.measure(self.metrics, output, target, self.scale)
        count = float(self.task.count(target))
        self._total += self.task.loss(self.scale(output), self.scale(target)).cpu() * count
        self._n += count

    def compute(self) -> dict[str, float]:
        """The mean loss and the metrics of all batches, by name."""
        values: dict[str, Tensor] = {"loss": self._total / self._n, **self.metrics.compute()}
        return {name: float(value) for name, value in values.items()}


class BlockScores:
    """The score of a task in each of some blocks of consecutive samples, `values`: of two models on one split, the
    differences between these tell how sure the difference of their scores is.

    Args:
        task, scale, device: as of `Scores`.
        n: samples of the split.
    """

    def __init__(self, task: Task, scale: Scale, n: int, device: torch.device | str = "cpu"):
        from zoo.tasks.metrics import collect

        self.task, self.scale, self.values = task, scale, list[float]()
        self._metric = collect({task.score: task.metrics()[task.score]}).to(device)
        self._sizes = [len(block) for block in torch.arange(n).tensor_split(min(n, N_BLOCKS))]
        self._left = self._sizes[0]  # samples of the block that are still to come

    def update(self, output: Tensor, target: Tensor) -> None:
        """Add the split's next batch of outputs and targets."""
        start = 0
        while start < len(target):
            part = slice(start, start + self._left)
            self.task.measure(self._metric, output[part], target[part], self.scale)
            self._left -= len(target[part])
            start += len(target[part])
            if not self._left:
                self._end_block()

    def _end_block(self) -> None:
        self.values.append(float(self._metric.compute()[self.task.score]))
        self._metric.reset()
        n = len(self.values)
        self._left = self._sizes[n] if n < len(self._sizes) else 0
