"""Convolutional networks on images."""

from zoo.engine.module import MODULES, ZooModule


@MODULES.register("cnn")
class CNNModule(ZooModule):
    """Trains a convolutional network; batches hold `image` (batch, channels, height, width)."""
