"""Convolutional networks on images."""

from zoo.modules.base import MODULES, ZooModule


@MODULES.register("cnn")
class CNNModule(ZooModule):
    """Trains a convolutional network; batches hold `image` (batch, channels, height, width)."""
