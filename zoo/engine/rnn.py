"""Recurrent networks, over sequences or texts."""

from zoo.engine.module import MODULES, ZooModule


@MODULES.register("rnn")
class RNNModule(ZooModule):
    """Trains a recurrent network."""
