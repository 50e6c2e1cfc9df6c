"""Recurrent networks, over sequences or texts."""

from typing import Any

import torch
from torch import Tensor

from zoo.data.splits import Batch
from zoo.engine.module import MODULES, ZooModule


@MODULES.register("rnn")
class RNNModule(ZooModule):
    """Trains a recurrent network. A long text is read by truncated backpropagation through time: each row of a batch
    continues where it ended in the batch before, from that state, and gradients stay within the batch (R. Williams,
    J. Peng, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories", 1990).

    Attributes:
        state: of the rows before the next batch; None at the start of an epoch.
    """

    state: Any = None
    after: Any = None  # the present batch

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss, and its streams."""
        super().on_train_epoch_start()
        self.state = None

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on one batch, and keep the state after it."""
        super().training_step(batch, batch_idx)
        self.state, self.after = self.after, None

    def outputs_and_targets(self, inputs: Batch, target: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of streams from the state before the batch; those of independent samples from none."""
        if not self.task.stream:
            return super().outputs_and_targets(inputs, target)
        output, after = self.model.advance(self.state, **inputs)
        self.after = _changed(after, Tensor.detach)
        return output, target

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the streams' state in each process, for a resume in mid-epoch."""
        super().on_save_checkpoint(checkpoint)
        own = _changed(self.state, Tensor.cpu)
        states = [own] * self.trainer.world_size
        if self.trainer.world_size > 1:
            torch.distributed.all_gather_object(states, own)
        checkpoint["streams"] = states

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the streams; with another number of processes, from no state."""
        super().on_load_checkpoint(checkpoint)
        states = checkpoint.get("streams", [])
        if len(states) == self.trainer.world_size:
            self.state = _changed(states[self.trainer.global_rank], lambda value: value.to(self.device))


def _changed(state: Any, change: Any) -> Any:
    """A state, of tensors in lists and tuples, with each tensor changed."""
    if isinstance(state, list | tuple):
        return type(state)(_changed(part, change) for part in state)
    return change(state) if isinstance(state, Tensor) else state
