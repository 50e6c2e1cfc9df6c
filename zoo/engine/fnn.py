"""Feedforward networks on tables."""

from zoo.engine.module import MODULES, ZooModule


@MODULES.register("fnn")
class FNNModule(ZooModule):
    """Trains a feedforward network; batches hold `numeric` (batch, n_numeric)."""
