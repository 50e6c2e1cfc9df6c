"""Recurrent networks on sequences."""

from zoo.data.splits import Batch
from zoo.modules.base import MODULES, ZooModule


@MODULES.register("rnn")
class RNNModule(ZooModule):
    """Trains a recurrent network; batches hold `sequence` (batch, time, n_channels), padded at the end, and
    `lengths` (batch,)."""

    def inputs(self, batch: Batch) -> Batch:
        """The batch's inputs, without the steps that are padding in every sequence."""
        inputs = super().inputs(batch)
        return {**inputs, "sequence": inputs["sequence"][:, : int(inputs["lengths"].max())]}
