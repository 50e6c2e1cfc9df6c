"""Fully sharded data parallel: weights, gradients and the optimiser's states in parts, one on each device."""

from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method


class Sharded(ModelParallelStrategy):
    """FSDP (arXiv 2304.11277) in its second version, whose parameters keep their names and shapes, so that weight decay
    and clipping are as in one process. Each layer's weights are whole only while it computes; checkpoints are whole."""

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint as every other strategy does, where Lightning's own would unpickle it, and give each
        process its part of the weights and of the optimiser's states."""
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            set_model_state_dict,
            set_optimizer_state_dict,
        )
        from torch.distributed.fsdp import FullyShardedDataParallel, OptimStateKeyType

        checkpoint = self.checkpoint_io.load_checkpoint(self.broadcast(checkpoint_path))
        assert self.model is not None
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_model_state_dict(self.model, checkpoint.pop("state_dict"), options=options)
        (optimizer,), (numbered,) = self.optimizers, checkpoint["optimizer_states"]
        named = FullyShardedDataParallel.rekey_optim_state_dict(numbered, OptimStateKeyType.PARAM_NAME, self.model)
        set_optimizer_state_dict(self.model, optimizer, named, options=options)
        return checkpoint


def shard(network: nn.Module) -> None:
    """Cut every layer's weights over all processes, in place."""
    network.to(memory_format=torch.contiguous_format)  # the only one that can be cut
    for layer in reversed(list(network.modules())):
        if layer is network or any(weight.dim() > 1 for weight in layer.parameters(recurse=False)):
            fully_shard(layer)
    register_fsdp_forward_method(network, "carry")
