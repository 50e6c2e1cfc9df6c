"""Fully sharded data parallel: weights, gradients and the optimiser's states in parts, one on each device."""

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method


class Sharded(ModelParallelStrategy):
    """FSDP (arXiv 2304.11277) in its second version, whose parameters keep their names and shapes, so that weight decay
    and clipping are as in one process. Each layer's weights are whole only while it computes; checkpoints are whole."""

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)


def shard(network: nn.Module) -> None:
    """Cut every layer's weights over all processes, in place."""
    network.to(memory_format=torch.contiguous_format)  # the only one that can be cut
    for layer in reversed(list(network.modules())):
        if layer is network or any(weight.dim() > 1 for weight in layer.parameters(recurse=False)):
            fully_shard(layer)
    register_fsdp_forward_method(network, "carry")
