"""The base of networks whose layers are computed for all steps at once, and the linear layer in them."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from zoo.models.rnn._recurrent import Recurrent

FEW = 1024  # steps of all sequences together below which torch's own layer is faster


class Parallel(Recurrent):
    """A recurrent network whose layers are linear in their state: what they lack in one layer, several have."""

    def __init__(
        self,
        *,
        depth: int = 2,
        residual: bool = True,
        norm: str = "layer",
        expansion: int = 1,
        **options: Any,
    ):
        super().__init__(depth=depth, residual=residual, norm=norm, expansion=expansion, **options)


class StepLinear(nn.Linear):
    """`nn.Linear` on (batch, time, n_in), faster on a CPU in float32.

    There the product and its gradients are convolutions of length 1, computed by oneDNN in place of MKL, which leaves
    half of an AMD CPU's registers unused.

    Gain, nn.Linear -> this one, forward and backward of (32, 784, n_in) to 256, on one core of an AMD EPYC (Zen 5):
    n_in=8 27 -> 9 ms, n_in=128 54 -> 28 ms.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, time, n_in) to (batch, time, n_out)."""
        return step_linear(x, self.weight, self.bias)


def step_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute what `StepLinear` does with a weight (n_out, n_in) and a bias (n_out,)."""
    usual = x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
    if usual or x.shape[0] * x.shape[1] < FEW:
        return F.linear(x, weight, bias)
    return _StepProduct.apply(x, weight, bias)


class _StepProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x = _product(grad, weight.t(), None) if ctx.needs_input_grad[0] else None
        size = (*weight.shape, 1, 1)
        of_weight = conv2d_weight(_image(x), size, _image(grad))[:, :, 0, 0]
        return of_x, of_weight, grad.flatten(0, 1).sum(0) if ctx.needs_input_grad[2] else None


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(_image(x), weight[:, :, None, None], bias)[:, :, 0].transpose(1, 2)


def _image(x: Tensor) -> Tensor:
    """View (batch, time, n) as (batch, n, 1, time) in channels_last, without a copy."""
    return x.transpose(1, 2)[:, :, None]
