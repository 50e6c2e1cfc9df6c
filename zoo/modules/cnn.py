"""Convolutional networks on images."""

from typing import Any

import torch

from zoo.data.splits import Batch
from zoo.modules.base import MODULES, ZooModule


@MODULES.register("cnn")
class CNNModule(ZooModule):
    """Trains a convolutional network; batches hold `image` (batch, channels, height, width).

    Weights and images lie in memory with the channels last, which convolutions read fastest.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.model.to(memory_format=torch.channels_last)

    def inputs(self, batch: Batch) -> Batch:
        """The batch's inputs, the images' channels last in memory."""
        inputs = super().inputs(batch)
        return {**inputs, "image": inputs["image"].contiguous(memory_format=torch.channels_last)}
