"""Several models of one architecture, of different seeds, computed as one."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from zoo.core.errors import UserError
from zoo.models.model import Model


class Stacked(nn.Module):
    """Models whose weights lie side by side, each parameter (n_models, ...), so that one call computes them all.

    On a GPU many small models take hardly longer than one. Recurrent layers of torch cannot be stacked.

    Args:
        models: of one architecture and with the same fitted `preprocess`.

    Raises:
        UserError: for models with recurrent layers.
    """

    def __init__(self, models: Sequence[Model]):
        super().__init__()
        if any(isinstance(layer, nn.RNNBase) for layer in models[0].modules()):
            raise UserError("recurrent layers cannot be computed for several models at once; one by one: -m seed=0,1")
        self.n_models, self.preprocess, self.network = len(models), models[0].preprocess, nn.Module()
        parameters, buffers = stack_module_state([model.network for model in models])
        for name, value in parameters.items():
            self.network.register_parameter(name.replace(".", "/"), nn.Parameter(value.detach().clone()))
        for name, value in buffers.items():
            self.network.register_buffer(name.replace(".", "/"), value.clone())
        self._one = [copy.deepcopy(models[0]).to("meta")]  # in a list, so that it is no part of this module

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Outputs on the scale of the loss, (n_models x batch, ...), for as many inputs: a batch for each model."""
        prepared = self.preprocess(inputs)
        return self._call({name: value.unflatten(0, (self.n_models, -1)) for name, value in prepared.items()}, 0)

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Outputs (n_models x batch, ...) for inputs (batch, ...) that all models are given."""
        return self._call(self.preprocess(inputs), None), state

    def _call(self, prepared: dict[str, Tensor], axis: int | None) -> Tensor:
        values = {name.replace("/", "."): value for name, value in self._values()}
        one = self._one[0].network.train(self.training)
        call = torch.vmap(lambda v, p: functional_call(one, v, (), p), in_dims=(0, axis), randomness="different")
        return self._one[0]._shaped(call(values, prepared).flatten(0, 1))

    def _values(self) -> list[tuple[str, Tensor]]:
        return [*self.network.named_parameters(), *self.network.named_buffers()]

    def clip_gradient(self, largest: float) -> None:
        """Scale each model's gradient down to the norm `largest`, where it is larger."""
        gradients = [value.grad for value in self.network.parameters() if value.grad is not None]
        norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)  # (n_models,)
        scale = (largest / (norms + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))

    def state_of(self, index: int) -> dict[str, Tensor]:
        """The state of one of the models, as its own `load_state_dict` takes it."""
        own = {f"network.{name.replace('/', '.')}": value[index].clone() for name, value in self._values()}
        own |= {f"preprocess.{name}": value for name, value in self.preprocess.state_dict().items()}
        return {name: own[name] for name in self._one[0].state_dict()}
