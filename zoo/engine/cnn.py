"""Convolutional networks, over images or sequences."""

from zoo.engine.module import MODULES, ZooModule


@MODULES.register("cnn")
class CNNModule(ZooModule):
    """Trains a convolutional network."""
