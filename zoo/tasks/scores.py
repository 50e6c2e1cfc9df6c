"""The loss and the metrics of a task over the batches of a split, and how much they vary within the split."""

from collections.abc import Sequence

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
        names: of the metrics; None takes all.
    """

    def __init__(
        self, task: Task, scale: Scale, device: torch.device | str = "cpu", names: Sequence[str] | None = None
    ):
        from zoo.tasks.metrics import collect

        metrics = task.metrics()
        self.metrics = (metrics if names is None else collect({name: metrics[name] for name in names})).to(device)
        self.task, self.scale = task, scale
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.metrics.reset()
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
    """The loss and the score of a task in each of some blocks of consecutive samples, `values`: of two models on one
    split, the differences between these tell how sure the difference of their scores is.

    Args:
        task, scale, device: as of `Scores`.
        n: samples of the split.
    """

    def __init__(self, task: Task, scale: Scale, n: int, device: torch.device | str = "cpu"):
        self.values: list[dict[str, float]] = []
        self._scores = Scores(task, scale, device, [task.score])
        self._sizes = [len(block) for block in torch.arange(n).tensor_split(min(n, N_BLOCKS))]
        self._left = self._sizes.pop(0)  # samples of the block that are still to come

    def update(self, output: Tensor, target: Tensor) -> None:
        """Add the split's next batch of outputs and targets."""
        start = 0
        while start < len(target):
            part = slice(start, start + self._left)
            self._scores.update(output[part], target[part])
            self._left -= len(target[part])
            start += len(target[part])
            if not self._left:
                self._end_block()

    def _end_block(self) -> None:
        self.values.append(self._scores.compute())
        self._scores.reset()
        self._left = self._sizes.pop(0) if self._sizes else 0
