"""Train several seeds of one architecture at once, as one batched model; `seeds=[0,1]` switches it on.

Gain, one by one -> at once, CPU seconds of the fits on one core of an AMD EPYC (Zen 5), best of 3 or 4:
    fnn/mlp, breast_cancer, 60 epochs, 5 seeds    3.65 -> 1.44 s     61 %
    cnn/small, mnist5k, 2 epochs, 5 seeds         3.40 -> 4.64 s    -36 %, so not for convolutions on a CPU
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from zoo.core.errors import UserError
from zoo.data.splits import Batch
from zoo.engine.means import MeanLoss, mean_over_processes
from zoo.engine.module import ZooModule
from zoo.models.model import Model, n_samples


class Stacked(nn.Module):
    """Models whose weights are stacked, each parameter (n_models, ...), so that one call computes them all.

    Args:
        models: of one architecture and with the same fitted `preprocess`.

    Raises:
        UserError: for models with recurrent layers, which torch cannot stack, and for retrieval networks.
    """

    def __init__(self, models: Sequence[Model]):
        super().__init__()
        if any(isinstance(layer, nn.RNNBase) for layer in models[0].modules()):
            raise UserError("recurrent layers cannot be computed for several models at once; one by one: -m seed=0,1")
        if models[0].network.candidates is not None:
            raise UserError("a model that searches the training rows is trained one seed at a time: -m seed=0,1")
        self.n_models, self.preprocess, self.network = len(models), models[0].preprocess, nn.Module()
        parameters, buffers = stack_module_state([model.network for model in models])
        for name, value in parameters.items():
            self.network.register_parameter(name.replace(".", "/"), nn.Parameter(value.detach().clone()))
        for name, value in buffers.items():
            self.network.register_buffer(name.replace(".", "/"), value.clone())
        self._one = [copy.deepcopy(models[0]).to("meta")]  # in a list, so that it is no part of this module
        self._one[0].preprocess = self.preprocess
        self.n_members, self.factors = models[0].n_members, models[0].factors

    def scaled(self, **inputs: Tensor) -> Tensor:
        """Outputs on the scale of the loss, (n_models * batch, ...), for inputs (n_models * batch, ...): a batch for
        each model."""
        return self._one[0].combined(self.member_outputs(**inputs), n_samples(inputs))

    def member_outputs(self, **inputs: Tensor) -> Tensor:
        """Outputs of each model's members, (n_models * batch * n_members, ...), for inputs as `scaled` takes them."""
        prepared = self.preprocess(inputs)
        return self._call({name: value.unflatten(0, (self.n_models, -1)) for name, value in prepared.items()}, 0)

    def layers(self) -> Iterator[nn.Module]:
        """The layers that compute all models' outputs."""
        return self._one[0].layers()

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Outputs (n_models * batch, ...) for inputs (batch, ...) that all models are given."""
        return self._one[0].combined(
            self._call(self.preprocess(inputs), None), self.n_models * n_samples(inputs)
        ), state

    def _call(self, prepared: dict[str, Tensor], axis: int | None) -> Tensor:
        values = {name.replace("/", "."): value for name, value in self._values()}
        one = self._one[0].network.train(self.training)
        call = torch.vmap(lambda v, p: functional_call(one, v, (), p), in_dims=(0, axis), randomness="different")
        return self._one[0].shaped(call(values, prepared).flatten(0, 1))

    def _values(self) -> list[tuple[str, Tensor]]:
        return [*self.network.named_parameters(), *self.network.named_buffers()]

    def clip_gradient(self, largest: float) -> None:
        """Scale each model's gradient down to the norm `largest` where it is larger."""
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


class StackedModule(ZooModule):
    """Trains a `Stacked` model. A batch holds one batch for each model, in turn; validation logs the models' means.

    Args:
        modules: one for each seed, with models of one architecture.
    """

    def __init__(self, modules: Sequence[ZooModule]):
        super().__init__(**modules[0].hparams)
        self.model, self.n_models = Stacked([module.model for module in modules]), len(modules)
        self.metrics_of_each: Any = nn.ModuleList([self.task.metrics() for _ in modules])
        self.losses_of_each: list[MeanLoss] = []

    def model_of(self, index: int = 0) -> Model:
        """A copy of the model of the seed at `index`."""
        model = self.new_model()
        model.load_state_dict(self.model.state_of(index))
        return model

    def add_gradient(self, batch: Batch, share: float, mean: MeanLoss) -> None:
        """Add each model's gradient: the loss is the mean of theirs."""
        super().add_gradient(batch, share * self.n_models, mean)

    def loss_of(self, output: Tensor, target: Tensor, mean: MeanLoss) -> Tensor:
        """The mean of the models' losses, a scalar. Where samples have weights, each is over its own batch's."""
        if not self.task.weighted:
            return super().loss_of(output, target, mean)
        parts = zip(output.chunk(self.n_models), target.chunk(self.n_models), strict=True)
        return torch.stack([super(StackedModule, self).loss_of(*part, mean) for part in parts]).mean()

    def clip(self, largest: float) -> None:
        """Scale each model's gradient down to the norm `largest` where it is larger."""
        self.model.clip_gradient(largest)

    def on_validation_epoch_start(self) -> None:
        """Start each model's mean loss."""
        super().on_validation_epoch_start()
        self.losses_of_each = [MeanLoss() for _ in self.metrics_of_each]

    def measure(self, output: Tensor, target: Tensor, mean: MeanLoss, metrics: Any) -> None:
        """Update each model's loss and metrics with its outputs (n_models * batch, ...)."""
        preprocess = self.model.preprocess
        for part, loss, own in zip(output.chunk(self.n_models), self.losses_of_each, self.metrics_of_each, strict=True):
            super().loss_of(part, target, loss)
            self.task.measure(own, preprocess.restore(part.float()), target, preprocess.scale_target)

    def on_validation_epoch_end(self) -> None:
        """Log the models' mean loss and metrics."""
        self.log("val/loss", self.val_losses().mean())
        values = [metrics.compute() for metrics in self.metrics_of_each]
        self.log_dict({f"val/{name}": torch.stack([value[name] for value in values]).mean() for name in values[0]})
        for metrics in self.metrics_of_each:
            metrics.reset()

    def val_losses(self) -> Tensor:
        """Each model's mean loss on the validation split, (n_models,)."""
        return mean_over_processes(self.losses_of_each, self.trainer)


def stack(modules: Sequence[ZooModule]) -> StackedModule:
    """One module that trains the models of several, of one family, at once."""
    family = type(modules[0])
    kind: Any = type(f"Stacked{family.__name__}", (StackedModule, family), {})
    return kind(modules)
