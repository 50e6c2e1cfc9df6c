"""Recurrences that are computed for all steps at once: equal to their loops, at any length and in any precision."""

import pytest
import torch
import torch.nn.functional as F
from helpers.models import SPECS, build
from torch.utils._python_dispatch import TorchDispatchMode

import zoo
from zoo.models import MODELS
from zoo.models.rnn import _parallel, _scan
from zoo.models.rnn._parallel import Parallel, StepLinear
from zoo.models.rnn._scan import blend, scan
from zoo.models.rnn.xlstm import SLSTMLayer

NAMES = [name for name in zoo.list_models("rnn/*") if issubclass(MODELS.get(name), Parallel)]
every_cell = pytest.mark.parametrize("cell", [*(MODELS.get(name).cell for name in NAMES), SLSTMLayer])


def loop(a, b, start):
    states = []
    for a_t, b_t in zip(a.unbind(1), b.unbind(1), strict=True):
        start = a_t * start + b_t
        states.append(start)
    return torch.stack(states, 1)


def recurrence(n_steps, dtype):
    """Decays from 0 over tiny ones to 1, inputs and a start, for batches of 3."""
    generator = torch.Generator().manual_seed(n_steps)
    a, b = torch.randn(2, 3, n_steps, 5, dtype=dtype, generator=generator)
    a = a / a.abs() * torch.rand(a.shape, generator=generator) ** torch.tensor([0, 0.01, 1, 9, 99])
    start = torch.randn(3, 5, dtype=dtype, generator=generator)
    return [a.requires_grad_(), b.requires_grad_(), start.requires_grad_()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize(
    "n_values", [1, 60, 700, 2**20]
)  # in one operation: chunks from one of all steps to nested ones
def test_a_scan_equals_its_loop(monkeypatch, dtype, n_values):
    monkeypatch.setitem(_scan.VALUES, "cpu", n_values)
    for n_steps in (1, 2, 4, 5, 33, 150):
        inputs = recurrence(n_steps, dtype)
        ours, theirs = scan(*inputs), loop(*inputs)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        weights = torch.randn_like(ours)
        gradients = [torch.autograd.grad((states * weights).sum().abs(), inputs) for states in (ours, theirs)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_values", [1, 60, 2**20])
def test_a_blend_equals_its_loop(monkeypatch, n_values):
    monkeypatch.setitem(_scan.VALUES, "cpu", n_values)
    for n_steps in (1, 2, 5, 33, 150):
        inputs = recurrence(n_steps, torch.float32)
        share, new, start = inputs[0].abs(), *inputs[1:]
        ours, theirs = blend(share, new, start), loop(1 - share, share * new, start)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        weights = torch.randn_like(ours)
        gradients = [
            torch.autograd.grad((states * weights).sum(), inputs, retain_graph=True) for states in (ours, theirs)
        ]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_a_scan_in_bfloat16_keeps_its_state_in_float32():
    a, b = torch.full((1, 4000, 1), 1.0, dtype=torch.bfloat16), torch.full((1, 4000, 1), 1.0, dtype=torch.bfloat16)
    assert scan(a, b)[0, -1, 0] == 4000  # bfloat16 stops at 256
    share = torch.full((1, 4000, 1), 2**-10, dtype=torch.bfloat16)
    assert blend(share, b)[0, -1, 0] == pytest.approx(1 - (1 - 2**-10) ** 4000, rel=1e-4)


@pytest.mark.parametrize("shape", [(40, 30, 1), (16, 100, 9), (2, 3, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_on_each_step_equals_a_linear_layer(shape, bias):
    layer, x = StepLinear(shape[2], 12, bias=bias), torch.randn(shape, requires_grad=True)
    ours, theirs = layer(x), F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    weights, inputs = torch.randn_like(ours), [x, *layer.parameters()]
    gradients = [torch.autograd.grad((output * weights).sum(), inputs) for output in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)
    assert layer(x.detach()).requires_grad
    assert (shape[0] * shape[1] >= _parallel.FEW) == (ours.grad_fn.name() == "_StepProductBackward")


@every_cell
def test_a_layer_equals_itself_step_by_step_and_in_parts(cell):
    torch.manual_seed(0)
    layer, x = cell(4, 6, batch_first=True).eval(), torch.randn(2, 150, 4)
    whole, last = layer(x)
    assert whole.shape == (2, 150, 6)
    for sizes in ([1] * 150, [1, 64, 85], [120, 30]):
        state, parts = None, []
        for part in x.split(sizes, 1):
            hidden, state = layer(part, state)
            parts.append(hidden)
        torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(state, last, rtol=1e-4, atol=1e-5)


@every_cell
def test_a_layer_in_bfloat16_stays_close(cell):
    torch.manual_seed(0)
    layer, x = cell(8, 16, batch_first=True), torch.randn(2, 300, 8)
    with torch.autocast("cpu", torch.bfloat16):
        hidden, state = layer(x)
    exact = layer(x)[0]
    assert state[0].dtype in (torch.float32, torch.complex64)
    assert (hidden - exact).abs().mean() < 0.02 * exact.abs().mean().clamp(min=0.1)
    hidden.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in layer.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_of_100_000_steps_needs_the_memory_of_one_part(name):
    network, state = build(name, width=4, depth=1, bidirectional=False).network.eval(), None
    part = torch.randn(1, 2000, SPECS["sequences"].inputs["sequence"].shape[1])
    with torch.inference_mode():
        for _ in range(50):
            hidden, state = network._run(part, state)
    assert hidden.isfinite().all()
    assert sum(one.untyped_storage().nbytes() for one in _flat(state)) < 2000 * 4 * 64


def _flat(state):
    return [state] if isinstance(state, torch.Tensor) else [one for part in state for one in _flat(part)]


class Counted(TorchDispatchMode):
    """Counts operations that are not views."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += not func.is_view
        return func(*args, **(kwargs or {}))


def test_a_gpu_needs_few_operations_for_many_steps(monkeypatch):
    inputs = [torch.rand(32, 784, 8, requires_grad=True) for _ in "ab"]
    monkeypatch.setitem(_scan.VALUES, "cpu", _scan.VALUES["cuda"])
    with Counted() as counted:
        scan(*inputs).sum().backward()
    assert counted.n < 200
