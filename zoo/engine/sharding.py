"""Fully sharded data parallel: each device holds a part of the weights, gradients and optimiser states."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.optim import Optimizer


class Sharded(ModelParallelStrategy):
    """FSDP2 (arXiv 2304.11277), whose parameters keep their names and shapes, so that weight decay and clipping are as
    in one process. Each layer's weights are gathered only while it computes; checkpoints hold whole weights."""

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint, where Lightning's own strategy would unpickle it, and give each process its part of the
        weights and optimiser states."""
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            set_model_state_dict,
            set_optimizer_state_dict,
        )

        checkpoint = self.checkpoint_io.load_checkpoint(self.broadcast(checkpoint_path))
        assert self.model is not None
        state, (optimizer,), (moments,) = checkpoint.pop("state_dict"), self.optimizers, checkpoint["optimizer_states"]
        if _shapes(state) != _shapes(self.model.state_dict()):
            raise RuntimeError("loading state_dict: names or shapes differ")  # in the words of `Module.load_state_dict`
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_model_state_dict(self.model, state, options=options)
        set_optimizer_state_dict(self.model, optimizer, _by_name(moments, self.model, optimizer), options=options)
        return checkpoint


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _by_name(state: Mapping[str, Any], model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """An optimiser's state by the names of the weights instead of their numbers, which count group by group."""
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    names = {weight: name for name, weight in model.named_parameters()}
    ordered = [names[weight] for group in optimizer.param_groups for weight in group["params"]]
    name_of = dict(zip(numbers, ordered, strict=True))
    groups = [{**group, "params": [name_of[number] for number in group["params"]]} for group in state["param_groups"]]
    return {"state": {name_of[number]: part for number, part in state["state"].items()}, "param_groups": groups}


def shard(network: nn.Module) -> None:
    """Shard every layer's weights over all processes, in place."""
    network.to(memory_format=torch.contiguous_format)  # the only one that can be sharded
    for layer in reversed(list(network.modules())):
        if layer is network or any(weight.dim() > 1 for weight in layer.parameters(recurse=False)):
            fully_shard(layer)
    for method in ("carry", "advance"):
        register_fsdp_forward_method(network, method)
