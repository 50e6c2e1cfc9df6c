"""Feedforward networks on tables."""

from torch import Tensor

from zoo.data.splits import Batch
from zoo.engine.module import MODULES, ZooModule


@MODULES.register("fnn")
class FNNModule(ZooModule):
    """Trains a feedforward network; batches hold `numeric` (batch, n_numeric). Where the network has several members,
    the loss is the mean of theirs."""

    def outputs_and_targets(self, inputs: Batch, target: Tensor) -> tuple[Tensor, Tensor]:
        """Each member's outputs, and the target of its sample for each, both (batch * n_members, ...)."""
        return self.model.member_outputs(**inputs), repeat_rows(target, self.model.n_members)


def repeat_rows(values: Tensor, n: int) -> Tensor:
    """Repeat each row of values (batch, ...) n times, (batch * n, ...)."""
    return values if n == 1 else values[:, None].expand(-1, n, *values.shape[1:]).flatten(0, 1)
