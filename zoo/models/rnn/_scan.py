"""The linear recurrence h_t = a_t h_{t-1} + b_t, computed for all steps of a sequence at once.

Two steps in a row are again such a step, so chunks of steps are computed side by side: first what each chunk does to
the state before it; then the states between chunks, by the same recurrence over fewer steps; then all states within the
chunks (G. Blelloch, "Prefix sums and their applications", 1990, section 1.4). Nothing is divided, so that decays of 0
are as safe as decays of 1; cumulative products or their logarithms lose all digits where the products get small.

On a GPU chunks are short and nested: about 12 log4(time) small kernels, 60 at 784 steps. On a CPU they are long enough
for 4,096 values in each operation, which for a usual batch leaves one chunk: a plain loop over steps.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SHORTEST = 4  # steps of a chunk
VALUES = {"cpu": 2**12, "cuda": 2**20}  # that keep the device busy in one operation


def scan(a: Tensor, b: Tensor, start: Tensor | None = None) -> Tensor:
    """Compute h_t = a_t h_{t-1} + b_t from h_0 = `start`, with gradients, in float32 or better.

    Args:
        a: real or complex, (batch, time, width).
        b: of the same shape and type.
        start: (batch, width); None is zeros.

    Returns:
        h_1 to h_time, (batch, time, width).
    """
    dtype = torch.promote_types(b.dtype, torch.float32)
    start = torch.zeros_like(b[:, 0], dtype=dtype) if start is None else start
    return _Scan.apply(a.to(dtype), b.to(dtype), start.to(dtype))


class _Scan(torch.autograd.Function):
    """The recurrence, and its gradient: the same recurrence over reversed time."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
        states = run(a, b, start)
        ctx.save_for_backward(a, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, states, start = ctx.saved_tensors
        following = torch.cat([a[:, 1:].conj(), torch.zeros_like(a[:, :1])], dim=1).resolve_conj()
        of_b = run(following, grad, torch.zeros_like(start), backwards=True)
        of_a = torch.empty_like(of_b)
        of_a[:, 0] = of_b[:, 0] * start.conj()
        torch.mul(of_b[:, 1:], states[:, :-1].conj(), out=of_a[:, 1:])
        return of_a, of_b, of_b[:, 0] * a[:, 0].conj()


def blend(share: Tensor, new: Tensor, start: Tensor | None = None) -> Tensor:
    """Compute h_t = (1 - share_t) h_{t-1} + share_t new_t as `scan` does, for real numbers, in fewer operations.

    Args:
        share: (batch, time, width).
        new: of the same shape and type.
        start: h_0, (batch, width); None is zeros.

    Returns:
        h_1 to h_time, (batch, time, width).
    """
    dtype = torch.promote_types(new.dtype, torch.float32)
    start = torch.zeros_like(new[:, 0], dtype=dtype) if start is None else start
    return _Blend.apply(share.to(dtype), new.to(dtype), start.to(dtype))


class _Blend(torch.autograd.Function):
    """The recurrence and its gradient, which reuse memory where they can: a pass over it costs as much as the steps."""

    @staticmethod
    def forward(ctx: Any, share: Tensor, new: Tensor, start: Tensor) -> Tensor:
        if chunk_length(new) < new.shape[1]:
            states = run(1 - share, share * new, start)
        else:
            states, state = torch.empty(new.shape, dtype=new.dtype, device=new.device), start
            for s_t, n_t, out in zip(share.unbind(1), new.unbind(1), states.unbind(1), strict=True):
                state = torch.lerp(state, n_t, s_t, out=out)
        ctx.save_for_backward(share, new, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        share, new, states, start = ctx.saved_tensors
        following = torch.zeros_like(states)
        torch.sub(1, share[:, 1:], out=following[:, :-1])
        of_new = run(following, grad, torch.zeros_like(start), backwards=True)
        of_start = of_new[:, 0] * (1 - share[:, 0])
        of_share = following  # its memory
        torch.sub(new[:, 0], start, out=of_share[:, 0])
        torch.sub(new[:, 1:], states[:, :-1], out=of_share[:, 1:])
        return of_share.mul_(of_new), of_new.mul_(share), of_start


def run(a: Tensor, b: Tensor, start: Tensor, backwards: bool = False) -> Tensor:
    """Compute the states of all steps (batch, time, width), or from the last step to the first; without gradients."""
    n_steps, length = b.shape[1], chunk_length(b)
    a, b = in_chunks(a, length), in_chunks(b, length)  # (batch, n_chunks, length, width)
    states = torch.empty_like(b)
    steps = list(zip(a.unbind(2), b.unbind(2), states.unbind(2), strict=True))[:: -1 if backwards else 1]
    state = start[:, None]  # before each chunk: (batch, n_chunks, width)
    if b.shape[1] > 1:
        product, end, _ = steps[0]
        for a_t, b_t, _ in steps[1:]:
            product, end = product * a_t, torch.addcmul(b_t, a_t, end)
        ends = run(product, end, start, backwards)
        state = torch.cat([ends[:, 1:], state] if backwards else [state, ends[:, :-1]], dim=1)
    for a_t, b_t, out in steps:
        state = torch.addcmul(b_t, a_t, state, out=out)
    return states.flatten(1, 2)[:, :n_steps]


def chunk_length(b: Tensor) -> int:
    """Return how many steps of b (batch, time, width) a chunk holds."""
    values = VALUES.get(b.device.type, VALUES["cuda"])
    return min(max(SHORTEST, -(-b.numel() // values)), b.shape[1])


def in_chunks(x: Tensor, length: int) -> Tensor:
    """View (batch, time, width) as (batch, n_chunks, length, width), padded by zeros at the end."""
    missing = -x.shape[1] % length
    return (F.pad(x, (0, 0, 0, missing)) if missing else x).unflatten(1, (-1, length))
