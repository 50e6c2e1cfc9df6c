"""Recurrent networks on sequences."""

from zoo.data.splits import Batch
from zoo.engine.module import MODULES, ZooModule


@MODULES.register("rnn")
class RNNModule(ZooModule):
    """Trains a recurrent network; batches hold `sequence` (batch, time, n_channels) or `tokens` (batch, time), and
    where the sequences are padded at their end, `lengths` (batch,)."""

    def inputs(self, batch: Batch) -> Batch:
        """The batch's inputs, without the steps that are padding in every sequence. On a GPU these stay, as asking for
        the longest sequence would wait for all work that is under way."""
        inputs = super().inputs(batch)
        if "lengths" not in inputs or inputs["lengths"].is_cuda:
            return inputs
        longest = int(inputs["lengths"].max())
        return {name: value[:, :longest] if name in ("sequence", "tokens") else value for name, value in inputs.items()}
